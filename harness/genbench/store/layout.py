"""The names of files in a trial's folder."""

RECORD = "trial.json"
MODEL = "model.safetensors"
LOG = "log.jsonl"

SHARD = ".safetensors"
"""What files of samples and of values per image end in; the log of chains lies beside the samples."""
