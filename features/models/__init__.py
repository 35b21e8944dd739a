"""From a model's name to an encoder: alias, timm, hub, checkpoint, random or pixels."""
