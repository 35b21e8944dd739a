"""`torchvision:NAME`: datasets in the layouts that torchvision downloads, with their own splits."""
