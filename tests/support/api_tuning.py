"""Rows of tuning."""

from __future__ import annotations

from api_row import Row

TASK = {
    "id": "k3m9x2qa",
    "name": "cs-v1",
    "model": "HCX-005",
    "taskType": "GENERATION",
    "trainEpochs": 8,
    "learningRate": 1.0e-4,
    "status": "WAIT",
    "statusInfo": {
        "label": None,
        "dataRows": 400,
        "numOfTokens": 91234,
        "currStep": 7,
        "totalTrainSteps": 80,
        "currEpoch": 1,
        "totalTrainEpochs": 8,
        "estimatedTime": 1200,
        "trainLoss": 1.25,
        "sendWeightSuccess": None,
        "failureReason": None,
        "message": None,
        "endDatetime": None,
    },
    "createdClientType": "API",
    "createdDate": "2026-03-02T09:15:00+0900",
    "updatedDate": "2026-03-02T09:15:00+0900",
}
CREATE = {
    "name": "cs-v1",
    "model": "HCX-005",
    "tuningType": "PEFT",
    "trainEpochs": 8,
    "learningRate": 1.0e-4,
    "trainingDatasetFilePath": "train/cs.csv",
    "trainingDatasetBucket": "my-bucket",
    "trainingDatasetAccessKey": "ak",
    "trainingDatasetSecretKey": "sk",
    "validationSplitRatio": 0,
    "loraR": 8,
    "loraAlpha": 64,
}

TUNING = [
    Row(
        "tuning, create",
        "tuning.create",
        "POST",
        "/tuning/v2/tasks",
        CREATE,
        TASK,
        (),
        {"name": "cs-v1", "model": "HCX-005", "tuning_type": "PEFT", "train_epochs": 8, "learning_rate": 1.0e-4,
         "training_dataset_file_path": "train/cs.csv", "training_dataset_bucket": "my-bucket",
         "training_dataset_access_key": "ak", "training_dataset_secret_key": "sk", "validation_split_ratio": 0,
         "lora_r": 8, "lora_alpha": 64},
    ),
    Row("tuning, get", "tuning.get", "GET", "/tuning/v2/tasks/k3m9x2qa", None, TASK, ("k3m9x2qa",)),
    Row(
        "tuning, list",
        "tuning.list",
        "GET",
        "/tuning/v2/tasks?page=2&size=5",
        None,
        {"totalPages": 3, "totalElements": 11, "size": 5, "number": 2, "content": [{**TASK, "method": "LoRA"}]},
        (),
        {"page": 2, "size": 5},
    ),
    Row("tuning, delete", "tuning.delete", "DELETE", "/tuning/v2/tasks/k3m9x2qa", None, None, ("k3m9x2qa",)),
]  # fmt: skip
