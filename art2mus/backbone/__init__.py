"""AudioLDM 2, frozen: found in a folder or on the Hub, checked, and loaded part by part."""

from art2mus.backbone.frozen import Backbone

__all__ = ["Backbone"]
