"""Writes the names, shapes and order of torchvision's parameters and buffers, one text file an architecture.

Needs Debian's python3-torch and python3-torchvision:  /usr/bin/python3 generate.py
Lines are "parameter NAME DIMENSIONS" in named_parameters() order, then "buffer NAME DIMENSIONS" in named_buffers() order;
scalars have no dimensions.
"""
import os
from collections import OrderedDict

import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock


class ResNet20(nn.Module):
    """The CIFAR network of He et al.: torchvision's blocks and names, three stages of three, 16 channels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        channels = 16
        for stage, planes in enumerate((16, 32, 64)):
            blocks = []
            for block in range(3):
                stride = 2 if stage > 0 and block == 0 else 1
                shortcut = None
                if stride != 1:
                    shortcut = nn.Sequential(nn.Conv2d(channels, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))
                blocks.append(BasicBlock(channels, planes, stride, shortcut))
                channels = planes
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, 10)


models = OrderedDict((name, getattr(torchvision.models, name)) for name in ("resnet18", "resnet34", "resnet50", "vgg16_bn"))
models["resnet20"] = ResNet20
for name, create in models.items():
    model = create()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".txt"), "w", newline="\n") as file:
        for kind, entries in (("parameter", model.named_parameters()), ("buffer", model.named_buffers())):
            for key, tensor in entries:
                print(*[kind, key] + [",".join(map(str, tensor.shape))] * (tensor.dim() > 0), file=file)
