// The page of the emulator: starts its parts.

import { startAbout } from "./about.js";
import { startDetail } from "./detail.js";
import { startFaults } from "./faults.js";
import { startFrame } from "./frame.js";
import { startLive } from "./live.js";
import { startPlayground } from "./playground.js";
import { startQuotas } from "./quotas.js";
import { startRequests } from "./requests.js";

startFrame();
startDetail();
startRequests();
startPlayground();
startFaults();
startQuotas();
startAbout();
startLive();
