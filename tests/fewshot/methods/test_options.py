"""How a method is read from its spec, and which options are refused."""

import pytest
import torch

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fewshot import METHODS, build_method


@pytest.mark.parametrize("name", METHODS)
def test_a_name_alone_is_a_spec(name):
    method = build_method(name)
    assert method.name == method.spec == name
    assert "arXiv" in (type(method).__doc__ or "")


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("ncm,norm=none", "ncm"),
        ("ncm,norm=cl2n", "ncm,norm=cl2n"),
        ("logreg,norm=l2,c=1", "logreg,norm=l2"),
        ("logreg,norm=l2,c=2", "logreg,c=2.0,norm=l2"),
        ("dc,samples=40,k=3", "dc,k=3,samples=40"),
    ],
)
def test_the_canonical_spec_builds_the_same_method(given, canonical):
    method = build_method(given)
    assert method.spec == canonical
    assert build_method(canonical) == method


def test_a_built_method_is_returned_as_it_is():
    method = build_method("logreg,c=2")
    assert build_method(method) is method


def test_tuning_keeps_the_options_that_were_set():
    specs = [method.spec for method in build_method("logreg,norm=l2").candidates()]
    assert specs == [f"logreg,{c}norm=l2" for c in ("c=0.01,", "c=0.1,", "", "c=10.0,", "c=100.0,")]
    assert [method.spec for method in build_method("logreg,c=3").candidates()] == ["logreg,c=3.0"]
    assert [method.spec for method in build_method("ncm").candidates()] == ["ncm"]


@pytest.mark.parametrize("spec", ["ncm,norm=cl2n", "dc", "dc-sslvit", "laplacianshot", "bd-cspn"])
def test_methods_that_use_base_classes_say_so_without_them(novel, run, spec):
    assert build_method(spec).needs_base
    with pytest.raises(InputError, match=f"{spec} needs the base classes' features"):
        run(abs(novel[0]), novel[1], spec, tasks=3)


@pytest.mark.parametrize("spec", ["ncm,norm=l2n", "cosine", "logreg", "tim", "pt-map", "ridge"])
def test_other_methods_need_none(novel, run, spec):
    assert not build_method(spec).needs_base
    assert run(abs(novel[0]), novel[1], spec, tasks=3).tasks == 3


def test_a_transform_that_centres_needs_the_base_classes():
    with pytest.raises(InputError, match="needs the base"):
        build_method("ncm,norm=cl2n").transform(torch.ones(2, 3), None)


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ("ncm,norm=l2", "ncm,norm=l2n"),
        ("soft-kmeans,norm=l2", "soft-kmeans,norm=l2n"),
        ("tim,norm=l2", "tim"),
        ("logreg,norm=l2n", "logreg,norm=l2"),
        ("svm,norm=tukey-l2n", "svm,norm=tukey-l2"),
    ],
)
def test_both_spellings_of_a_norm_are_one_method(given, recorded):
    assert build_method(given).spec == recorded


def test_an_unknown_method_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean logreg"):
        build_method("logrek")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ncm,nrom=l2n", "ncm has no option 'nrom'\nIts options: norm"),
        ("cosine,norm=l2", "cosine has no option 'norm'\nIts options: none"),
        ("ncm,norm=l1", "norm=l1 is not possible for ncm\nPossible: none, l2, l2n, cl2n"),
        ("ncm,norm=1", "norm=1 of ncm must be text"),
        ("logreg,c=high", "c=high of logreg must be a number"),
        ("logreg,c=True", "c=True of logreg must be a number"),
        ("logreg,c=0", "c=0.0 of logreg must be positive"),
        ("logreg,c=-1.5", "c=-1.5 of logreg must be positive"),
        ("logreg,c=1e999", "c=inf of logreg must be positive and finite"),
        ("dc,k=0", "k=0 of dc must be at least 1"),
        ("dc,alpha=-0.1", "alpha=-0.1 of dc must be at least 0"),
        ("dc-sslvit,samples=-1", "samples=-1 of dc-sslvit must be at least 0"),
        ("dc,power=0", "power=0.0 of dc must be positive"),
        ("dc-sslvit,power=1.0", "dc-sslvit has no option 'power'"),
        ("bd-cspn,scale=0", "scale=0.0 of bd-cspn must be positive"),
        ("bd-cspn,norm=l1", "norm=l1 is not possible for bd-cspn"),
        ("bd-cspn,rectification=code", "rectification=code is not possible for bd-cspn"),
        ("laplacianshot,neighbours=0", "neighbours=0 of laplacianshot must be positive"),
        ("laplacianshot,neighbours=2.5", "must be a whole number"),
        ("tim,temperature=-1", "temperature=-1.0 of tim must be positive"),
        ("tim,iterations=0", "iterations=0 of tim must be positive"),
        ("alpha-tim,alpha=1", "alpha=1.0 of alpha-tim must be above 1"),
        ("pt-map,rate=0", "rate=0.0 of pt-map must be positive"),
        ("soft-kmeans,iterations=-3", "iterations=-3 of soft-kmeans must be positive"),
        ("label-propagation,alpha=1.0", "alpha=1.0 of label-propagation must be below 1"),
    ],
)
def test_options_that_are_not_possible(spec, message):
    with pytest.raises(InputError, match=message):
        build_method(spec)
