import numpy as np
import torch
from scipy import stats

from lowlabel.fewshot.methods.normals import standard_normals


def test_normals_depend_on_seed_and_task_alone_and_are_normal():
    seeds = [(0, 0), (0, 1), (1, 0)]
    numbers = standard_normals(seeds, 40_001)
    assert torch.equal(standard_normals(seeds[::-1], 40_001).flip(0), numbers)
    assert torch.equal(standard_normals(seeds[1:2], 40_001)[0], numbers[1])
    assert np.abs(np.corrcoef(numbers) - np.eye(3)).max() < 0.02
    assert all(stats.kstest(row, "norm").pvalue > 0.001 for row in numbers.numpy())
