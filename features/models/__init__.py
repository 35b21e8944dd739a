"""Loading of encoders by name: alias, shipped, timm, hub, checkpoint, random or pixels."""
