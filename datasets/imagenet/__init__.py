"""The few-shot datasets of ImageNet images: mini-ImageNet and tiered-ImageNet."""
