"""Runs torchvision's forward pass in eval mode on a state dict and images that C# wrote, for comparison with the built-in models.

usage: forward.py ARCHITECTURE STATE.safetensors IMAGES.safetensors LOGITS.f32
ARCHITECTURE is "resnet18" (as torchvision has it) or "vgg16_bn;width=N" (torchvision's layers of narrower configuration).
The reader below knows the format only from its specification: it shares nothing with the C# writer.
"""
import json
import struct
import sys

import torch
import torchvision
from torch import nn

TYPES = {"F32": torch.float32, "I64": torch.int64}


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = bytearray(data[8 + length + begin : 8 + length + end])
        tensors[name] = torch.frombuffer(raw, dtype=TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def create(architecture, classes):
    name, _, option = architecture.partition(";width=")
    if not option:
        return getattr(torchvision.models, name)(num_classes=classes)
    width = int(option)
    layers = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]
    layers = [layer if layer == "M" else layer * width // 64 for layer in layers]
    features = torchvision.models.vgg.make_layers(layers, batch_norm=True)
    model = torchvision.models.vgg.VGG(features, num_classes=classes, init_weights=False)
    hidden = 64 * width
    model.classifier[0] = nn.Linear(8 * width * 49, hidden)
    model.classifier[3] = nn.Linear(hidden, hidden)
    model.classifier[6] = nn.Linear(hidden, classes)
    return model


architecture, state_path, images_path, logits_path = sys.argv[1:]
torch.set_num_threads(1)
state = read(state_path)
last_bias = state["fc.bias" if "fc.bias" in state else "classifier.6.bias"]
model = create(architecture, last_bias.numel())
model.load_state_dict(state, strict=True)
model.eval()
with torch.no_grad():
    logits = model(read(images_path)["images"])
with open(logits_path, "wb") as file:
    file.write(logits.contiguous().numpy().tobytes())
