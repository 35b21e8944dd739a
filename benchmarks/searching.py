"""Landmark retrieval and copy detection, from embeddings to an outcome."""

from contextlib import ExitStack
from typing import Any

from lowlabel.benchmarks.outcome import Outcome, retrieval_outcome, similarity
from lowlabel.benchmarks.search_subject import SearchSubject
from lowlabel.benchmarks.suite import CopiesProtocol, RevisitedProtocol, SearchProtocol
from lowlabel.features import StoredRows, stored_rows
from lowlabel.progress import progress_bar
from lowlabel.results import Experiment, ProtocolInfo
from lowlabel.retrieval import evaluate_copies, evaluate_revisited, learn_whitening
from lowlabel.retrieval.post import build_post

VERSION = 1


def search_experiment(subject: SearchSubject, protocol: SearchProtocol) -> Experiment:
    """What determines the scores."""
    options: dict[str, object] = {"ties": protocol.ties}
    options["distractors"] = subject.distractors.dataset if subject.distractors else None
    if isinstance(protocol, RevisitedProtocol):
        options["ks"] = protocol.ks
    if isinstance(protocol, CopiesProtocol):
        options["top"] = protocol.top
    return Experiment(
        suite="retrieval",
        protocol=ProtocolInfo(subject.dataset.scheme, VERSION, options),
        model=subject.model,
        dataset=subject.dataset,
        method=similarity([build_post(spec) for spec in protocol.posts]),
        feature_keys=subject.keys,
    )


def run_search(subject: SearchSubject, protocol: SearchProtocol, device: str) -> Outcome:
    """Scores; distractors are read from the store in blocks."""
    with ExitStack() as stack:
        shared: dict[str, Any] = {"ties": protocol.ties, "device": device}
        distractors: list[StoredRows] = []
        if subject.distractors:
            distractors.append(stack.enter_context(stored_rows(subject.distractors)))
        title = f"searching {subject.dataset.title}"
        shared["progress"] = stack.enter_context(progress_bar(title, "img"))
        shared["distractors"] = distractors
        query, gallery = subject.query.features, subject.gallery.features
        if protocol.posts and subject.train:
            shared["transform"] = learn_whitening(
                subject.train.features, gallery, protocol.posts[0], device=device
            )
        if isinstance(protocol, CopiesProtocol):
            copies, originals = subject.query.labels, subject.gallery.labels
            result = evaluate_copies(query, copies, gallery, originals, top=protocol.top, **shared)
        else:
            assert isinstance(protocol, RevisitedProtocol) and subject.ground_truth is not None
            truth = subject.ground_truth
            result = evaluate_revisited(query, gallery, truth, ks=protocol.ks, **shared)
        further = sum(map(len, distractors))
        return retrieval_outcome(result, gallery=len(gallery), distractors=further)
