"""Installed plugins are found when a name is missed, and never harm those who do not use them."""

import sys

import pytest

import kerasdl
from kerasdl import plugins


@pytest.fixture(autouse=True)
def untried(monkeypatch):
    monkeypatch.setattr(plugins, "_tried", set())


@pytest.fixture
def installed_acme(acme, monkeypatch):
    monkeypatch.syspath_prepend(acme)
    monkeypatch.delitem(sys.modules, "acme_keras", raising=False)


def test_a_plugin_is_not_imported_before_a_name_is_missed(installed_acme):
    kerasdl.lookup("loss", "log_cosh")
    assert "acme_keras" not in sys.modules


@pytest.mark.parametrize("name", ["acme>ShiftedError", "shifted_error"])
def test_a_plugin_is_found_on_a_miss(fresh_process, acme, name):
    found = fresh_process(
        f"import kerasdl; print(kerasdl.get('loss', {name!r}, shift=2.0).shift)", acme
    )
    assert found.split() == ["2.0"]


def test_names_list_the_components_of_plugins(installed_acme):
    assert "acme>Scale" in kerasdl.names("layer")


def test_a_broken_plugin_warns_with_its_distribution_and_breaks_nothing(install, monkeypatch):
    target = install("broken_dist", {"broken_plugin.py": "1 / 0"}, "broken = broken_plugin")
    monkeypatch.syspath_prepend(target)
    warning = "'broken' of the distribution 'broken.dist'.*ZeroDivisionError"
    with pytest.warns(UserWarning, match=warning):
        assert "kerasdl>LogCosh" in kerasdl.names("loss")
    assert "kerasdl>LogCosh" in kerasdl.names("loss"), "it warns once"
    with pytest.raises(KeyError, match="No loss is registered as 'broken>Loss'"):
        kerasdl.lookup("loss", "broken>Loss")


def test_two_distributions_of_one_prefix_are_an_error(install, monkeypatch):
    for name in ("first_dist", "second_dist"):
        files = {f"{name}.py": "import kerasdl"}
        monkeypatch.syspath_prepend(install(name, files, f"twice = {name}"))
    with pytest.raises(ValueError, match=r"first.dist, second.dist all declare .* 'twice'"):
        kerasdl.lookup("loss", "twice>Loss")
    with pytest.warns(UserWarning, match="all declare the plugin prefix 'twice'"):
        kerasdl.names()
