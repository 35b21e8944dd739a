"""Class-level retrieval within an evaluated part, or in its gallery."""

from lowlabel.benchmarks.outcome import Outcome, retrieval_outcome, similarity
from lowlabel.benchmarks.subject import Subject
from lowlabel.benchmarks.suite import RetrievalProtocol
from lowlabel.progress import progress_bar
from lowlabel.results import Experiment, ProtocolInfo
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.clustering import ITERATIONS, clustering_backend
from lowlabel.retrieval.post import build_post
from lowlabel.retrieval.search import build_index

VERSION = 1
_LEARNT = {"base", "train"}  # parts that only post-processing that learns uses
_NAMED = {"dml-zeroshot", "dml-zeroshot-box", "classification-split"}


def retrieval_experiment(subject: Subject, protocol: RetrievalProtocol) -> Experiment:
    """What determines the scores."""
    scheme = subject.dataset.scheme
    unnamed = "leave-one-out" if subject.gallery is None else "query-gallery"
    options: dict[str, object] = {
        "ks": protocol.ks,
        "ties": protocol.ties,
        "lone_queries": protocol.lone_queries,
    }
    if protocol.nmi:
        options["nmi"] = f"{clustering_backend()} k-means, {ITERATIONS} iterations"
    posts = [build_post(spec) for spec in protocol.posts]
    learns = any(post.needs_train for post in posts)
    used = {part: key for part, key in subject.keys.items() if learns or part not in _LEARNT}
    return Experiment(
        suite="retrieval",
        protocol=ProtocolInfo(scheme if scheme in _NAMED else unnamed, VERSION, options),
        model=subject.model,
        dataset=subject.dataset,
        method=similarity(posts, build_index(protocol.search)),
        feature_keys=used,
    )


def run_retrieval(subject: Subject, protocol: RetrievalProtocol, device: str) -> Outcome:
    """Scores every query."""
    gallery = subject.gallery
    with progress_bar(f"retrieval on {subject.dataset.title}", "query") as progress:
        result = evaluate_retrieval(
            subject.evaluated.features,
            subject.evaluated.labels,
            gallery=(gallery.features, gallery.labels) if gallery else None,
            train=subject.base.features if subject.base else None,
            post=protocol.posts,
            search=protocol.search,
            nmi=protocol.nmi,
            ks=protocol.ks,
            ties=protocol.ties,
            lone_queries=protocol.lone_queries,
            device=device,
            progress=progress,
        )
    further = {"gallery": len(gallery.labels)} if gallery else {}
    return retrieval_outcome(result, **further)
