"""What the user has set, and where it came from."""

import contextlib
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import voting
from detect import keys, settings
from detect.home import Home
from detect.keys import KEYS, duration_s
from detect.settings import Settings, from_env, from_flags, from_toml, merge
from detect.tables import Given, SettingsError
from protocol import limits
from protocol.messages import Submit


@pytest.fixture
def home(tmp_path):
    return Home(state=tmp_path, config=tmp_path, runtime=tmp_path / "run")


def test_without_any_setting_every_value_is_the_default(home):
    loaded = settings.load(home, {}, {})
    assert loaded.votes == Settings().votes
    assert set(loaded.sources) == set(KEYS)
    assert loaded.sources["votes"] == "default"


def test_a_flag_beats_a_variable_and_a_variable_beats_the_file(home):
    (home.config / "config.toml").write_text('votes = 3\nslots = 4\nmodel = "a"\n')
    loaded = settings.load(home, {"SWARM_VOTES": "5", "SWARM_SLOTS": "6"}, {"votes": 7})
    assert (loaded.votes, loaded.slots, loaded.model) == (7, 6, "a")
    assert loaded.sources["votes"] == "the flag --votes"
    assert loaded.sources["slots"] == "the variable SWARM_SLOTS"
    assert loaded.sources["model"] == f"{home.config / 'config.toml'}, line 3"


def test_a_flag_that_was_not_given_changes_nothing():
    assert from_flags({"votes": None, "local": None}) == {}


def test_the_same_value_reads_alike_from_file_variable_and_flag():
    in_file = 'name="n"\nworkers=2\ncontext=4096\ngpu_layers="all"\ntemperature=0.5\n'
    in_file += 'timeout="2m"\nlocal=true\n'
    variables = {"NAME": "n", "WORKERS": "2", "CONTEXT": "4096", "GPU_LAYERS": "all"}
    variables |= {"TEMPERATURE": "0.5", "TIMEOUT": "120", "LOCAL": "yes"}
    flags = {"name": "n", "workers": 2, "context": "4096", "gpu_layers": "all"}
    flags |= {"temperature": 0.5, "timeout": "120s", "local": True}
    of_file = merge(from_toml(in_file, "f"))
    of_env = merge(from_env({f"SWARM_{k}": v for k, v in variables.items()})[0])
    of_flags = merge(from_flags(flags))
    for field in ("name", "workers", "context", "gpu_layers", "temperature", "timeout_s", "local"):
        assert getattr(of_file, field) == getattr(of_env, field) == getattr(of_flags, field)


WRONG = [
    ("votes = 0", "votes is '0' in c.toml, line 1", "1 to 64"),
    ("votes = 65", "votes is '65'", "1 to 64"),
    ("votes = true", "votes is 'True'", "1 to 64"),
    ('votes = "8"', "votes is '8'", "1 to 64"),
    ("\n\ntemperature = 9.5", "temperature is '9.5' in c.toml, line 3", "0 to 5"),
    ("temperature = nan", "temperature is 'nan'", "0 to 5"),
    ('engine = "gpt"', "engine is 'gpt'", "auto, llamacpp, mlx, scripted"),
    ("gpu_layers = -1", "gpu_layers is '-1'", "auto, all, or 0 to 1024"),
    ('gpu_layers = "some"', "gpu_layers is 'some'", "auto, all, or 0 to 1024"),
    ("context = 1", "context is '1'", "auto, or 64"),
    ('timeout = "3 days"', "timeout is '3 days'", "60s, 2m or 1h"),
    ("timeout = 0", "timeout is '0'", "60s, 2m or 1h"),
    ("local = 1", "local is '1'", "true or false"),
    ('name = ""', "name is ''", "63 bytes"),
    ("[votes]\nx = 1", "votes is \"{'x': 1}\" in c.toml, line 1", "1 to 64"),
    ("model = 1979-05-27", "model is '1979-05-27'", "name or file"),
]


@pytest.mark.parametrize(("text", "seen", "allowed"), WRONG)
def test_a_wrong_value_is_named_with_its_place_and_what_is_allowed(text, seen, allowed):
    with pytest.raises(SettingsError) as caught:
        merge(from_toml(text, "c.toml"))
    assert seen in caught.value.seen
    assert allowed in caught.value.because


def test_a_wrong_variable_is_named():
    with pytest.raises(SettingsError, match="SWARM_VOTES"):
        merge(from_env({"SWARM_VOTES": "many"})[0])


def test_a_wrong_flag_is_wrong_usage_and_a_wrong_file_is_not():
    with pytest.raises(SettingsError) as flag:
        merge(from_flags({"votes": 0}))
    with pytest.raises(SettingsError) as file:
        merge(from_toml("votes = 0", "c.toml"))
    assert (flag.value.by_flag, file.value.by_flag) == (True, False)


def test_a_wrong_value_is_found_though_a_flag_overrides_it():
    with pytest.raises(SettingsError, match="line 1"):
        merge(from_toml("votes = 0", "c.toml"), from_flags({"votes": 3}))


def test_an_unknown_key_is_refused_and_the_nearest_one_offered():
    with pytest.raises(SettingsError) as caught:
        merge(from_toml("\nmax-token = 3", "c.toml"))
    assert caught.value.seen == "there is no setting 'max-token', in c.toml, line 2"
    assert caught.value.hint == "did you mean max_tokens?"


def test_a_file_that_is_no_toml_names_the_line(home):
    (home.config / "config.toml").write_text("votes = 1\nworkers = = 2\n")
    with pytest.raises(SettingsError) as caught:
        settings.load(home, {}, {})
    assert "line 2" in caught.value.because


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"a" * (settings.CONFIG_BYTES_MAX + 1)])
def test_a_file_that_is_no_configuration_is_refused(home, raw):
    (home.config / "config.toml").write_bytes(raw)
    with pytest.raises(SettingsError, match=r"config\.toml"):
        settings.load(home, {}, {})


def test_a_folder_in_place_of_the_file_is_refused(home):
    (home.config / "config.toml").mkdir()
    with pytest.raises(SettingsError, match="cannot read"):
        settings.load(home, {}, {})


def test_a_variable_that_sets_nothing_is_noted_and_home_and_empty_ones_are_not(home):
    env = {"SWARM_HOME": "/x", "SWARM_VOTES": " ", "SWARM_VOTE": "3", "PATH": "/bin"}
    loaded = settings.load(home, env, {})
    assert loaded.votes == Settings().votes
    assert loaded.notes == ("the variable SWARM_VOTE sets nothing here",)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("60s", 60), ("2m", 120), ("1h", 3600), ("500ms", 0.5), ("1.5m", 90)],
)
def test_durations_carry_their_unit(text, seconds):
    assert duration_s(text) == seconds


@given(st.text(max_size=8))
def test_any_text_is_a_duration_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert isinstance(duration_s(text), float)


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.text(max_size=8)))
def test_any_variables_give_settings_in_their_bounds_or_one_clear_error(variables):
    env = {f"SWARM_{name.upper()}": value for name, value in variables.items()}
    refused = None
    try:
        merged = merge(from_env(env)[0])
        assert 1 <= merged.votes <= limits.SEATS_MAX
        assert 0 < merged.timeout_s <= limits.TIMEOUT_S_MAX
        assert not math.isnan(merged.temperature)
    except SettingsError as error:
        refused = error
    assert refused is None or ("SWARM_" in refused.seen and refused.because and refused.hint)


AT_THE_BOUND = [
    ("votes", limits.SEATS_MAX, 1),
    ("temperature", limits.TEMPERATURE_MAX, 0.5),
    ("max_tokens", limits.MAX_TOKENS_MAX, 1),
    ("timeout", limits.TIMEOUT_S_MAX, 1),
]


@pytest.mark.parametrize(("name", "bound", "step"), AT_THE_BOUND)
def test_the_bounds_are_those_of_the_protocol(name, bound, step):
    merge({name: Given(bound, "here")})
    with pytest.raises(SettingsError):
        merge({name: Given(bound + step, "here")})


def test_the_words_are_those_of_the_count():
    assert (keys.ANSWERS, keys.STOPS) == (voting.ANSWER_TYPES, voting.STOP_MODES)


def test_the_defaults_are_those_of_the_protocol():
    ours, theirs = Settings(), Submit(job="", prompt="")
    for field in ("votes", "answer", "temperature", "max_tokens", "timeout_s", "stop", "local"):
        assert getattr(ours, field) == getattr(theirs, field)


def test_every_setting_can_be_set():
    fields = {key.field for key in KEYS.values()}
    assert fields == set(Settings.__struct_fields__) - {"sources", "notes"}


def test_a_home_that_does_not_exist_yet_has_no_settings():
    nowhere = Path("/nonexistent/local-swarm")
    assert settings.load(Home(nowhere, nowhere, nowhere), {}, {}).workers == 1


def test_a_model_has_settings_of_its_own_that_win_over_the_rest_of_the_file(home):
    (home.config / "config.toml").write_text(
        "gpu_layers = 1\nslots = 2\n[engines.llamacpp]\ngpu_layers = 5\ncontext = 1024\n"
        '[models.abacus]\ngpu_layers = "all"\n[models."q4.gguf"]\ngpu_layers = 20\n'
    )
    abacus = settings.load(home, {}, {})
    assert (abacus.gpu_layers, abacus.context, abacus.slots) == ("all", 1024, 2)
    assert abacus.sources["gpu_layers"].endswith(", [models.abacus]")
    assert abacus.sources["context"].endswith(", [engines.llamacpp]")
    assert settings.load(home, {}, {"model": "/m/q4.gguf"}).gpu_layers == 20
    assert settings.load(home, {}, {"model": "/m/other.gguf"}).gpu_layers == 5
    assert settings.load(home, {}, {"engine": "scripted"}).context is None
    assert settings.load(home, {"SWARM_GPU_LAYERS": "7"}, {}).gpu_layers == 7
    assert settings.load(home, {}, {"gpu_layers": "8"}).gpu_layers == 8


def test_a_folder_has_the_settings_of_mlx(home):
    (home.config / "config.toml").write_text("[engines.mlx]\nslots = 3\n")
    assert settings.load(home, {}, {"model": "/m/qwen3-4b-4bit"}).slots == 3
    assert settings.load(home, {}, {"engine": "mlx"}).slots == 3
    assert settings.load(home, {}, {"model": "/m/qwen3.gguf"}).slots != 3


WRONG_TABLES = [
    ("[models.abacus]\ngpu_layers = -3", "gpu_layers is '-3'", "0 to 1024"),
    ("[models.abacus]\nvotes = 3", "'votes' cannot be set for [models.abacus]", "gpu_layers"),
    ("[engines.gpt]\nslots = 3", "[engines.gpt]", "llamacpp, mlx, scripted"),
    ("models = 3", "models is '3'", "holds tables"),
    ("[models]\nabacus = 3", "[models.abacus]", "no table"),
    ('tensor_split = "3;1"', "tensor_split is '3;1'", "3,1"),
    ('tensor_split = "0,0"', "tensor_split is '0,0'", "3,1"),
]


@pytest.mark.parametrize(("text", "seen", "allowed"), WRONG_TABLES)
def test_a_mistake_in_any_table_is_found_today(home, text, seen, allowed):
    (home.config / "config.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        settings.load(home, {}, {"model": "another"})
    assert seen in caught.value.seen
    assert allowed in caught.value.because
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("timeout", 60.0, "60s"),
        ("timeout", 0.5, "0.5s"),
        ("keep_for", 604_800.0, "168h"),
        ("context", None, "auto"),
        ("local", False, "false"),
        ("temperature", 0.8, "0.8"),
    ],
)
def test_a_value_is_shown_as_it_may_be_written(name, value, text):
    key = KEYS[name]
    assert keys.shown(key, value) == text
    assert key.take(key.parse(text)) == value


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[31m", "x" * 64])
def test_a_name_that_cannot_be_shown_is_told_with_what_it_may_be(name):
    with pytest.raises(SettingsError) as wrong:
        merge(from_flags({"name": name}))
    assert wrong.value.because == "name takes printable text of up to 63 bytes"
    assert wrong.value.hint.endswith("the default is this machine's host name")
