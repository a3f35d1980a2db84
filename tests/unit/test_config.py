"""Settings: which layer wins, and what happens to a wrong key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.config import Settings, flat_values, known_keys, load, redacted
from hub.config_sources import ConfigError, as_variable, nearest


def test_defaults_are_the_documented_ones() -> None:
    settings = load(environ={}, directory=Path("/nonexistent")).settings
    ports = (settings.api, settings.registry, settings.connect, settings.warehouse, settings.kafka)
    assert [section.port for section in ports] == [8080, 8081, 8083, 8123, 9092]
    assert settings.state_dir == Path(".ioc")
    assert settings.timezone == "Asia/Ho_Chi_Minh"
    assert settings.lang == "vi"


def test_flags_win_over_environment_over_dotenv_over_toml(tmp_path: Path) -> None:
    (tmp_path / "ioc.toml").write_text(
        "[api]\nport = 1001\n[connect]\nport = 1001\n[kafka]\nport = 1001\nheap_mb = 300\n[registry]\nport = 1001\n"
    )
    (tmp_path / ".env").write_text("IOC_API__PORT=1002\nIOC_CONNECT__PORT=1002\nIOC_REGISTRY__PORT=1002\n")
    environ = {"IOC_API__PORT": "1003", "IOC_CONNECT__PORT": "1003"}
    found = load({"api.port": "1004"}, environ, tmp_path)
    settings = found.settings
    assert (settings.api.port, settings.connect.port, settings.registry.port) == (1004, 1003, 1002)
    assert (settings.kafka.port, settings.kafka.heap_mb) == (1001, 300)
    assert found.origins["api.port"] == "--set api.port"
    assert found.origins["connect.port"] == "environment IOC_CONNECT__PORT"
    assert found.origins["registry.port"] == ".env IOC_REGISTRY__PORT"
    assert found.origins["kafka.port"] == "ioc.toml kafka.port"
    assert "stream.port" not in found.origins


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://ioc:s3cret@warehouse:8123/default\n")
    found = load(environ={"IOC_CLICKHOUSE__URL_FILE": str(tmp_path / "url")}, directory=tmp_path)
    assert found.settings.clickhouse.url == "http://ioc:s3cret@warehouse:8123/default"
    with pytest.raises(ConfigError, match="No such file"):
        load(environ={"IOC_CLICKHOUSE__URL_FILE": str(tmp_path / "none")}, directory=tmp_path)


@pytest.mark.parametrize(
    ("variable", "right"),
    [
        ("IOC_KAFKA_PORT", "IOC_KAFKA__PORT"),
        ("IOC_STATEDIR", "IOC_STATE_DIR"),
        ("IOC_KAFKA__BOOTSTRAP_SERVER", "IOC_KAFKA__BOOTSTRAP_SERVERS"),
        ("IOC_API__PROT", "IOC_API__PORT"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_right_one(variable: str, right: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={variable: "1"}, directory=tmp_path)
    assert variable in str(caught.value)
    assert str(caught.value).endswith(f"did you mean {right}?")


def test_an_unknown_key_of_the_file_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "ioc.toml").write_text("[kafka]\nbootstrap_server = 'x'\n[api]\nprot = 1\n")
    with pytest.raises(ConfigError) as caught:
        load(environ={}, directory=tmp_path)
    assert "ioc.toml kafka.bootstrap_server – did you mean kafka.bootstrap_servers?" in str(caught.value)
    assert "ioc.toml api.prot – did you mean api.port?" in str(caught.value)


def test_a_wrong_value_names_key_value_and_origin(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={"IOC_API__PORT": "eighty"}, directory=tmp_path)
    assert "api.port" in str(caught.value)
    assert "'eighty'" in str(caught.value)
    assert "environment IOC_API__PORT" in str(caught.value)


def test_variables_that_are_no_settings_are_let_through(tmp_path: Path) -> None:
    others = ("IOC_SECRET_1022_KEY", "IOC_TEST_CONTAINERS", "IOC_PORTAL_URL", "IOC_FAULT_KILL", "IOC_API_KEY")
    assert load(environ=dict.fromkeys(others, "x"), directory=tmp_path).settings == Settings()


def test_a_registrys_password_is_read_from_a_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    environ = {
        "IOC_REGISTRY__URL": "https://registry:8081",
        "IOC_REGISTRY__USER": "ioc",
        "IOC_REGISTRY__PASSWORD_FILE": str(tmp_path / "password"),
    }
    settings = load(environ=environ, directory=tmp_path).settings
    assert settings.registry.password is not None
    assert settings.registry.password.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings) + "".join(redacted(*item) for item in flat_values(settings))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"USER": "ioc", "TOKEN": "s3cret", "URL": "https://r"}, "exclude each other"),
        ({"PASSWORD": "s3cret", "URL": "https://r"}, "needs registry.user"),
        ({"TOKEN": "s3cret"}, "registry.url, which is not set"),
        ({"TLS_KEY": "key.pem"}, "go together"),
    ],
)
def test_credentials_that_make_no_sense_are_refused_without_being_shown(
    given: dict[str, str], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        load(environ={f"IOC_REGISTRY__{name}": value for name, value in given.items()}, directory=tmp_path)
    assert "s3cret" not in str(caught.value)


def test_passwords_are_masked_when_shown() -> None:
    assert redacted("clickhouse.url", "http://ioc:s3cret@db:8123/x") == "http://ioc:***@db:8123/x"
    assert redacted("registry.url", "http://registry:8081") == "http://registry:8081"


@given(st.sampled_from(sorted(known_keys())), st.data())
def test_a_key_with_one_letter_missing_is_still_recognised(key: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(key) - 1))
    guess = nearest(key[:position] + key[position + 1 :], known_keys())
    assert guess is not None


def test_every_setting_has_a_variable_and_a_value() -> None:
    assert [key for key, _ in flat_values(Settings())] == list(known_keys())
    assert len({as_variable(key) for key in known_keys()}) == len(list(known_keys()))
