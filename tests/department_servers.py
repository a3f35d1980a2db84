"""Real servers of departments from Debian's packages, on the loopback and in temporary directories."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.broker import Broker, wait_for_port
from tests.gate import Gate, gate
from tests.stack import ROOT, free_port

FTP_PASSWORD = "ftp-bi-mat-2302"
MQTT_USER, MQTT_PASSWORD = "ioc_mqtt", "mqtt-bi-mat-2303"


@dataclass(frozen=True, slots=True)
class FtpServer:
    """vsftpd; the user `anonymous` signs in with FTP_PASSWORD and sees `root`, and may write directories in it."""

    port: int
    root: Path


@contextlib.contextmanager
def ftp_process() -> Iterator[FtpServer]:
    base, port = Path(tempfile.mkdtemp(prefix="ioc-ftp-", dir="/tmp")), free_port()
    base.chmod(0o755)
    root, empty = base / "root", base / "empty"
    root.mkdir()
    root.chmod(0o755)  # vsftpd refuses a writable root; the directories in it may be written
    empty.mkdir(mode=0o555)
    (base / "passwords").write_text(FTP_PASSWORD + "\n")
    settings = {
        "listen": "YES", "listen_address": "127.0.0.1", "listen_port": str(port), "background": "NO",
        "anonymous_enable": "YES", "local_enable": "NO", "anon_root": str(root), "allow_writeable_chroot": "YES",
        "secure_email_list_enable": "YES", "email_password_file": str(base / "passwords"),
        "write_enable": "YES", "anon_upload_enable": "YES", "anon_mkdir_write_enable": "YES",
        "anon_other_write_enable": "YES", "anon_world_readable_only": "NO", "seccomp_sandbox": "NO",
        "secure_chroot_dir": str(empty), "pasv_address": "127.0.0.1", "xferlog_enable": "NO",
        "use_localtime": "NO", "delay_failed_login": "0", "max_login_fails": "1",
        "run_as_launching_user": "NO" if os.geteuid() == 0 else "YES",
    }  # fmt: skip
    (base / "vsftpd.conf").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    with _server([_program("vsftpd"), str(base / "vsftpd.conf")], port, base):
        yield FtpServer(port, root)


@dataclass(frozen=True, slots=True)
class MqttBroker:
    """mosquitto; `tls_port` shows the certificate of `localhost` signed by `ca`."""

    port: int
    tls_port: int
    ca: str


@contextlib.contextmanager
def mqtt_process() -> Iterator[MqttBroker]:
    base, port, tls_port = Path(tempfile.mkdtemp(prefix="ioc-mqtt-", dir="/tmp")), free_port(), free_port()
    passwords = base / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run(
        [_program("mosquitto_passwd"), "-b", passwords, MQTT_USER, MQTT_PASSWORD], check=True, capture_output=True
    )
    _certificate(base)
    lines = [
        "per_listener_settings false", "allow_anonymous false", f"password_file {passwords}",
        "persistence true", f"persistence_location {base}/", "max_queued_messages 0", "max_inflight_messages 0",
        f"listener {port} 127.0.0.1", f"listener {tls_port} 127.0.0.1",
        f"certfile {base}/server.pem", f"keyfile {base}/server.key",
    ]  # fmt: skip
    if os.geteuid() == 0:
        lines.insert(0, "user root")
    (base / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    with _server([_program("mosquitto"), "-c", str(base / "mosquitto.conf")], port, base):
        yield MqttBroker(port, tls_port, (base / "ca.pem").read_text())


@dataclass(frozen=True, slots=True)
class SecondCluster:
    """Another Kafka: clients reach it through the gate only, which is what it advertises."""

    bootstrap: str
    gate: Gate


@contextlib.contextmanager
def second_kafka(data: Path) -> Iterator[SecondCluster]:
    broker = Broker(ROOT / "deploy" / "kafka" / "libs", data, free_port(), free_port(), heap_mb=256)
    with gate(broker.port) as opened:
        broker.prepare()
        settings = data / "server.properties"
        advertised = f"advertised.listeners=PLAINTEXT://127.0.0.1:{broker.port}"
        text = settings.read_text()
        assert advertised in text
        settings.write_text(text.replace(advertised, f"advertised.listeners=PLAINTEXT://127.0.0.1:{opened.port}"))
        with _server(broker.command(), broker.port, None):
            yield SecondCluster(f"127.0.0.1:{opened.port}", opened)


def add_listener(properties: Path, name: str, port: int, advertised: int) -> None:
    """One more listener in a broker's settings, which tells clients to come to another port."""
    text = properties.read_text()
    for key, more in (
        ("listeners", f"{name}://127.0.0.1:{port}"),
        ("advertised.listeners", f"{name}://127.0.0.1:{advertised}"),
        ("listener.security.protocol.map", f"{name}:PLAINTEXT"),
    ):
        lines = [f"{line},{more}" if line.startswith(f"{key}=") else line for line in text.splitlines()]
        text = "\n".join([*lines, ""])
    properties.write_text(text)


@contextlib.contextmanager
def _server(command: list[str], port: int, base: Path | None) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    try:
        assert wait_for_port(port, 60, process), command
        yield
    finally:
        process.terminate()
        process.wait(20)
        if base is not None:
            shutil.rmtree(base, ignore_errors=True)


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    assert found, f"{name} is missing: sh deploy/setup/test-packages.sh"
    return found


def _certificate(base: Path) -> None:
    """An authority and a certificate for localhost signed by it."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    now = datetime.now(UTC)
    for key, subject, file in ((keys[0], "test authority", "ca"), (keys[1], "localhost", "server")):
        built = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("test authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=file == "ca", path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(keys[0], hashes.SHA256())
        )
        (base / f"{file}.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (base / f"{file}.key").write_bytes(private)
