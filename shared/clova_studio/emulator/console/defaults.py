"""The default configuration: a router for travel and weather, and a skillset for the weather."""

from typing import Any

from clova_studio.emulator.language.text import listed

_CITIES = ("서울", "부산", "대구", "인천", "광주", "대전", "울산", "세종", "수원", "강릉", "전주", "제주")
_DAYS = ("오늘", "내일", "모레", "주말")
_SKIES = ("맑음", "구름 많음", "흐림", "비")


def _weather() -> list[dict[str, Any]]:
    """A made-up forecast for every city and day."""
    return [
        {
            "when": [city, day],
            "body": {"sky": _SKIES[(number + later) % 4], "temperature": 18 + (number * 3 + later * 2) % 11},
        }
        for number, city in enumerate(_CITIES)
        for later, day in enumerate(_DAYS)
    ]


DEFAULTS: dict[str, Any] = {
    "routers": [
        {
            "id": "travel01",
            "domains": [
                {
                    "name": "날씨",
                    "description": "국내 도시의 날씨, 기온, 강수와 미세 먼지를 묻는 말",
                    "keywords": listed(
                        "날씨 기온 온도 강수 우산 미세먼지 미세 폭우 폭설 습도 일기예보 weather temperature forecast "
                        "rain umbrella"
                    ),
                    "safety_filters": ["Unethical", "Contentious"],
                },
                {
                    "name": "여행",
                    "description": "여행지, 숙소, 교통편, 맛집과 여행 일정을 묻는 말",
                    "keywords": listed(
                        "여행 관광 숙소 숙박 호텔 펜션 항공 비행기 기차표 렌터카 맛집 카페 명소 가볼 travel trip "
                        "hotel flight sightseeing itinerary"
                    ),
                    "content_filters": [
                        {
                            "name": "OverseasTravel",
                            "description": "해외 여행에 관한 말",
                            "keywords": listed(
                                "해외 외국 일본 도쿄 오사카 후쿠오카 중국 대만 베트남 태국 미국 뉴욕 하와이 유럽 "
                                "파리 런던 overseas abroad japan tokyo paris london europe"
                            ),
                        },
                    ],
                    "safety_filters": ["Unethical", "Contentious"],
                },
            ],
        }
    ],
    "skillsets": [
        {
            "id": "weather1",
            "skills": [
                {
                    "name": "날씨",
                    "description": "국내 도시의 날씨와 기온을 알려 준다",
                    "keywords": ["날씨", "기온", "온도", "우산", "비가", "weather", "temperature"],
                    "operation_id": "getWeather",
                    "url": "https://weather.example.com/v1/forecast?location={location}&day={day}",
                    "parameters": {
                        "type": "object",
                        "properties": {
                            "location": {"type": "string", "description": "도시", "enum": list(_CITIES)},
                            "day": {"type": "string", "description": "날", "enum": list(_DAYS)},
                        },
                        "required": ["location", "day"],
                    },
                    "responses": _weather(),
                    "answer": "{location}의 {day} 날씨는 {sky}이고 기온은 {temperature}도입니다.",
                },
            ],
        }
    ],
}
