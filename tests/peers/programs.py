"""PyTorch programs as users write them; `imported` changes their imports to tinynet's, and nothing else."""

import re

SMALL_CNN = '''
import torch
import torch.nn as nn
import torch.optim as optim
import torch.utils.data


class CNN(nn.Module):
    def __init__(self):
        super(CNN, self).__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.fc1 = nn.Linear(3 * 2 * 20, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x):
        x = nn.functional.relu(self.conv1(x))
        x = nn.functional.max_pool2d(nn.functional.relu(self.conv2(x)), 2)
        x = x.view(-1, 3 * 2 * 20)
        x = nn.functional.relu(self.fc1(x))
        return self.fc2(x)


def train(model, device, loader, optimizer, criterion):
    model.train()
    losses = []
    for data, labels in loader:
        data, labels = data.to(device), labels.to(device)
        outputs = model(data)
        loss = criterion(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def images(n):
    """Class k is a bright row k of 14×12 pixels, and noise."""
    labels = torch.arange(n) % 10
    data = torch.rand(n, 1, 14, 12) * 0.3
    data[torch.arange(n), 0, labels] += 1.0
    return torch.utils.data.TensorDataset(data, labels)


torch.manual_seed(1)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
train_loader = torch.utils.data.DataLoader(images(200), batch_size=20, shuffle=True)
model = CNN().to(device)
optimizer = optim.SGD(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()
losses = []
for epoch in range(15):
    losses += train(model, device, train_loader, optimizer, criterion)
'''

COLOUR_CNN = """
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class CNN(nn.Module):
    def __init__(self):
        super(CNN, self).__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(64 * 6 * 6, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 64 * 6 * 6)
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return x


torch.manual_seed(0)
model = CNN()
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
data, labels = torch.randn(30, 3, 24, 24), torch.arange(30) % 10
losses = []
for step in range(25):
    loss = F.cross_entropy(model(data), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
with torch.no_grad():
    accuracy = (model(data).argmax(dim=1) == labels).float().mean().item()
"""

BATCH_NORM_CNN = """
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding="same", bias=False), nn.BatchNorm2d(16), nn.GELU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, stride=2, padding=1, groups=4), nn.BatchNorm2d(32), nn.SiLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1), nn.Linear(32, 10),
)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
scheduler = CosineAnnealingLR(optimizer, T_max=150)
x, y = torch.randn(32, 3, 16, 16), torch.randint(0, 10, (32,))
losses = []
for step in range(150):
    optimizer.zero_grad(set_to_none=True)
    loss = criterion(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    scheduler.step()
    losses.append(float(loss))
model.eval()
with torch.inference_mode():
    _, predicted = torch.max(model(x), 1)
    accuracy = (predicted == y).sum().item() / len(y)
"""

MLP = """
import torch

torch.manual_seed(0)
x = torch.linspace(-3.0, 3.0, 256).view(-1, 1)
y = torch.sin(x)
w1, b1 = torch.randn(1, 32, requires_grad=True), torch.zeros(32, requires_grad=True)
w2 = torch.randn(32, 1, requires_grad=True)
with torch.no_grad():
    w2 *= 0.1
losses = []
for step in range(800):
    h = torch.tanh(x @ w1 + b1)
    loss = ((h @ w2 - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (w1, b1, w2):
            p -= 0.05 * p.grad
            p.grad.zero_()
    losses.append(loss.item())
"""

LSTM_LAST_STEP = """
import torch
import torch.nn as nn
import torch.optim as optim


class Reader(nn.Module):
    def __init__(self, features, units, depth, classes):
        super(Reader, self).__init__()
        self.units = units
        self.depth = depth
        self.lstm = nn.LSTM(features, units, depth, batch_first=True)
        self.out = nn.Linear(units, classes)

    def forward(self, x):
        h = torch.zeros(self.depth, x.size(0), self.units).to(x.device)
        c = torch.zeros(self.depth, x.size(0), self.units).to(x.device)
        steps, (h_n, c_n) = self.lstm(x, (h, c))
        return self.out(steps[:, -1, :])


def build():
    return Reader(8, 16, 2, 3)


def sequences(n):
    # the class is which of three features is the largest in the last step but two
    x = torch.randn(n, 7, 8)
    return x, x[:, -3, :3].argmax(1)


torch.manual_seed(0)
model = build()
optimizer = optim.Adam(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
losses = []
for step in range(300):
    data, labels = sequences(64)
    optimizer.zero_grad()
    loss = criterion(model(data), labels)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
"""

WEIGHTED_SUM = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Weigh(nn.Module):
    def __init__(self, like, drop=0.1):
        super(Weigh, self).__init__()
        self.drop = drop
        self.energy = nn.Linear(like.size(2), 1)
        self.value = nn.Linear(like.size(2), 1)

    def forward(self, x):
        e = self.energy(x)
        p = F.softmax(e, dim=1)
        p = F.dropout(p, self.drop, training=self.training)
        mixed = p * x
        total = self.value(x).sum(1)
        return mixed + total


def build():
    return Weigh(torch.zeros(1, 1, 8))


torch.manual_seed(0)
model = build()
optimizer = torch.optim.SGD(model.parameters(), lr=0.003)
losses = []
for step in range(200):
    x = torch.randn(1, 5, 8)
    target = x.sum() / 10
    loss = (model(x).mean() - target).pow(2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
losses = [sum(losses[:20]), sum(losses[-20:])]
"""

PROGRAMS = {
    "small_cnn": SMALL_CNN,
    "colour_cnn": COLOUR_CNN,
    "batch_norm_cnn": BATCH_NORM_CNN,
    "mlp": MLP,
    "lstm_last_step": LSTM_LAST_STEP,
    "weighted_sum": WEIGHTED_SUM,
}


def imported(program: str) -> str:
    """The program with its imports changed."""
    program = re.sub(r"^import torch$", "import tinynet as torch", program, flags=re.M)
    program = re.sub(r"^import torch\.utils\.data$", "import tinynet.utils.data", program, flags=re.M)
    return re.sub(r"^(import|from) torch\b", r"\1 tinynet", program, flags=re.M)
