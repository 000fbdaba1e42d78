"""Reinforcement learning in a tiny world: a walk along five fields, with the prize at the far end.

    leafgrad run examples/reinforce.py [episodes]

REINFORCE: the log-probability of what was done, times what came of it. The graph is as long as the
episode was: another one every time.
"""

import sys

import torch
from torch import nn

episodes = int(sys.argv[1]) if len(sys.argv) > 1 else 150
FIELDS = 5

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(FIELDS, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.02)
average = 0.0
for episode in range(episodes):
    place, logs = 0, []
    while place < FIELDS - 1 and len(logs) < 30:
        state = torch.zeros(FIELDS)
        state[place] = 1.0
        log_chances = torch.log_softmax(policy(state), dim=0)
        action = torch.multinomial(log_chances.detach().exp(), 1).item()  # 0: back, 1: ahead
        logs.append(log_chances[action])
        place = max(0, place + (1 if action == 1 else -1))
    reward = (1.0 if place == FIELDS - 1 else 0.0) - 0.05 * len(logs)
    loss = -torch.stack(logs).sum() * (reward - average)
    average = 0.9 * average + 0.1 * reward
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if episode % 50 == 0 or episode == episodes - 1:
        print(f"episode {episode}: {len(logs)} steps, reward {reward:.2f}")
