"""Classifiers: networks from scratch and pretrained backbones, each from raw pixels to logits."""
