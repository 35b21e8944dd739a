import torch

from lowlabel.fewshot.solvers.adam import Adam


def test_the_steps_are_those_of_torch():
    target = torch.linspace(-2, 2, 12, dtype=torch.float64).view(2, 6)
    theirs = torch.zeros_like(target, requires_grad=True)
    peer = torch.optim.Adam([theirs], lr=0.05)
    ours = torch.zeros_like(target)
    adam = Adam(ours, 0.05)
    for _ in range(50):
        peer.zero_grad()
        ((theirs - target) ** 4).sum().backward()
        peer.step()
        ours = adam.step(ours, 4 * (ours - target) ** 3)
    assert torch.allclose(ours, theirs)
