"""Start and end of the process: flags, missing and broken models, ports, signals."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import httpx

from lab.serving.flags import FLAGS, parse, usage
from lab.testing.models import GOOD, SWAPPED, VERSION, request
from lab.testing.serving import Launch, put_model

QUICK = ("--max_num_load_retries=1", "--load_retry_interval_micros=1000")


def closed(port: int) -> bool:
    """Whether nobody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_missing_base_path_is_waited_for_with_the_ports_shut(
    launch: Launch, tmp_path: Path
) -> None:
    server = launch()
    server.wait_for(
        "Could not find base path /models/tensorflow for servable chnsenticorp with error Not found: "
    )
    assert closed(server.rest)
    assert closed(server.grpc)
    (tmp_path / "models/tensorflow/latest").mkdir(parents=True)
    server.wait_for(
        "No versions of servable chnsenticorp found under base path /models/tensorflow. Did you forget to name your leaf directory"
    )
    assert closed(server.rest)
    put_model(tmp_path)
    server.wait_up()
    assert (
        f"Successfully loaded servable version {{name: chnsenticorp version: {VERSION}}}"
        in server.text()
    )
    assert "Running gRPC ModelServer at 0.0.0.0:" in server.text()
    assert "Exporting HTTP/REST API at:localhost:" in server.text()


def test_a_broken_model_is_tried_again_and_then_ends_the_process_with_255(
    launch: Launch, tmp_path: Path
) -> None:
    target = put_model(tmp_path)
    (target / "saved_model.pb").write_bytes(b"\xff" * 100)
    server = launch(*QUICK)
    assert server.wait_end() == 255
    assert server.text().count("Reading SavedModel from: /models/tensorflow/1623831335") == 2
    ending = "Failed to start server. Error: Unknown: 1 servable(s) did not become available: {{{name: chnsenticorp version: "
    assert (
        f"{ending}1623831335}} due to error: Data loss: Can't parse /models/tensorflow/1623831335/saved_model.pb as binary proto"
        in server.text()
    )


def test_a_version_directory_without_a_model_ends_the_same_way(
    launch: Launch, tmp_path: Path
) -> None:
    (tmp_path / "models/tensorflow/1").mkdir(parents=True)
    server = launch(*QUICK)
    assert server.wait_end() == 255
    assert (
        "due to error: Not found: Could not find SavedModel .pb or .pbtxt at supplied export directory path"
        in server.text()
    )


def test_a_contradiction_in_the_flags_is_refused_at_once(launch: Launch) -> None:
    cases = {
        "Both server_options.model_base_path and server_options.model_config_file are empty!": [],
        "batching_parameters_file is set without setting": [
            "--model_base_path=/m",
            "--batching_parameters_file=/b",
        ],
        "Error: Not found: /no.config; No such file or directory": [
            "--model_config_file=/no.config"
        ],
    }
    for text, flags in cases.items():
        server = launch(*flags, default=False)
        assert server.wait_end() == 255
        assert "Failed to start server. Error: " in server.text()
        assert text in server.text()


def test_a_bad_config_file_is_named(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "bad.config").write_text("model_config_list { config { nam: 'x' } }")
    server = launch("--model_config_file=/bad.config", default=False)
    assert server.wait_end() == 255
    assert "Invalid protobuf file: '/bad.config'" in server.text()


def test_a_label_for_a_version_that_is_not_served_is_refused(
    launch: Launch, tmp_path: Path
) -> None:
    put_model(tmp_path)
    (tmp_path / "c").write_text(
        "model_config_list { config { name: 'm' base_path: '/models/tensorflow' model_platform: 'tensorflow' "
        "version_labels { key: 'canary' value: 8 } } }"
    )
    server = launch("--model_config_file=/c", default=False)
    assert server.wait_end() == 255
    assert (
        "Request to assign label to version 8 of model m, which is not currently available for inference"
        in server.text()
    )


def test_an_unknown_flag_is_reported_with_the_usage_and_the_start_goes_on(
    launch: Launch, tmp_path: Path
) -> None:
    put_model(tmp_path)
    server = launch("--version_policy=specific:1").wait_up()
    assert server.text().startswith(
        "unknown argument: --version_policy=specific:1\nusage: tensorflow_model_server\nFlags:\n"
    )


def test_an_unreadable_value_prints_the_usage_and_ends(launch: Launch) -> None:
    server = launch("--rest_api_num_threads=many")
    assert server.wait_end() == 255
    assert "usage: tensorflow_model_server" in server.text()


def test_flags_are_read_as_the_server_reads_them() -> None:
    flags = parse(
        [
            "--port=1",
            "--enable_batching",
            "--enable_model_warmup=false",
            "--rest_api_port",
            "8501",
            "-port=3",
        ]
    )
    assert (
        flags["port"],
        flags["enable_batching"],
        flags["enable_model_warmup"],
        flags["rest_api_port"],
    ) == (1, True, False, 0)
    assert flags.unknown == ["--rest_api_port", "8501", "-port=3"]
    assert all(f"--{name}=" in usage() for name in FLAGS)


def test_sigterm_ends_it_at_once_outside_a_container(launch: Launch, tmp_path: Path) -> None:
    put_model(tmp_path)
    server = launch().wait_up()
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_end() == -signal.SIGTERM


def test_as_process_one_it_is_deaf_to_sigterm_and_answers_on(
    launch: Launch, tmp_path: Path
) -> None:
    put_model(tmp_path)
    server = launch(LAB_DEAF_TO_SIGTERM="1").wait_up()
    server.process.send_signal(signal.SIGTERM)
    assert httpx.get(f"{server.url}/v1/models/chnsenticorp").status_code == 200
    assert server.process.poll() is None


def test_metrics_are_off_unless_configured(launch: Launch, tmp_path: Path) -> None:
    put_model(tmp_path)
    server = launch().wait_up()
    assert httpx.get(f"{server.url}/monitoring/prometheus/metrics").status_code == 404


def test_another_model_gives_another_answer(launch: Launch, tmp_path: Path) -> None:
    put_model(tmp_path, SWAPPED)
    server = launch().wait_up()
    negative, positive = httpx.post(
        f"{server.url}/v1/models/chnsenticorp:predict", json=request([GOOD])
    ).json()["predictions"][0]
    assert negative > 0.8 and positive < 0.2
