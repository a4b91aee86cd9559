"""A siamese network that tells whether two digits are the same: accuracy on held-out pairs."""

import random

import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        )
        self.fc_in_features = 8 * 4 * 4
        self.fc = nn.Sequential(nn.Linear(self.fc_in_features * 2, 64), nn.ReLU(inplace=True), nn.Linear(64, 1))
        self.sigmoid = nn.Sigmoid()
        self.features.apply(self.init_weights)
        self.fc.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Linear):
            torch.nn.init.xavier_uniform_(m.weight)
            m.bias.data.fill_(0.01)

    def forward_once(self, x):
        output = self.features(x)
        return output.view(output.size()[0], -1)

    def forward(self, input1, input2):
        output1 = self.forward_once(input1)
        output2 = self.forward_once(input2)
        output = torch.cat(((output1 - output2).abs(), output1 * output2), 1)
        return self.sigmoid(self.fc(output))


class Pairs(Dataset):
    def __init__(self, data, targets, n, rng):
        self.data, self.targets, self.n, self.rng = data, targets, n, rng
        self.groups = {i: (targets == i).nonzero().flatten().tolist() for i in range(10)}

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        first = self.rng.randint(0, 9)
        i = self.rng.choice(self.groups[first])
        if index % 2 == 0:
            return self.data[i], self.data[self.rng.choice(self.groups[first])], torch.tensor(1, dtype=torch.float)
        other = self.rng.choice([k for k in range(10) if k != first])
        return self.data[i], self.data[self.rng.choice(self.groups[other])], torch.tensor(0, dtype=torch.float)


torch.manual_seed(seed)
rng = random.Random(seed)
x, y = torch.from_numpy(images), torch.from_numpy(labels)
train_loader = DataLoader(Pairs(x[:1400], y[:1400], 1500, rng), batch_size=50, shuffle=True)
test_loader = DataLoader(Pairs(x[1400:], y[1400:], 400, rng), batch_size=100)
model = SiameseNetwork().to("cpu")
criterion = nn.BCELoss()
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
scheduler = StepLR(optimizer, step_size=1, gamma=0.8)
for epoch in range(5):
    model.train()
    for images_1, images_2, targets in train_loader:
        optimizer.zero_grad()
        outputs = model(images_1, images_2).squeeze()
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
    scheduler.step()
model.eval()
correct = 0
with torch.no_grad():
    for images_1, images_2, targets in test_loader:
        outputs = model(images_1, images_2).squeeze()
        pred = torch.where(outputs > 0.5, 1, 0)
        correct += pred.eq(targets.view_as(pred)).sum().item()
metric = correct / len(test_loader.dataset)
