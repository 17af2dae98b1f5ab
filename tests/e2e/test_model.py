"""The answer is computed from the files that were uploaded, by whoever mounted them last."""

from __future__ import annotations

import shutil

from lab.testing.models import SWAPPED
from models.tokenizer import instance
from tests.e2e.harness import Lab

TEXT = "房间很干净，服务也很好"


def answer(lab: Lab) -> list[float]:
    """The probabilities for one fixed sentence."""
    response = lab.http("/v1/models/chnsenticorp:predict", {"instances": [instance(TEXT)]})
    assert response.status_code == 200, response.text
    return response.json()["predictions"][0]


def test_another_model_under_the_same_version_gives_another_answer_and_back_again(
    deployed: Lab,
) -> None:
    before, digest = answer(deployed), deployed.outputs()["modelDigest"]
    directory = deployed.program / "models" / "chnsenticorp" / "1623831335"
    kept = directory.with_name("kept")
    directory.rename(kept)
    try:
        shutil.copytree(SWAPPED, directory)
        deployed.up()
        assert deployed.outputs()["modelDigest"] != digest
        assert max(abs(a - b) for a, b in zip(answer(deployed), before, strict=True)) > 0.05
    finally:
        shutil.rmtree(directory)
        kept.rename(directory)
        deployed.up()
    assert deployed.outputs()["modelDigest"] == digest
    assert max(abs(a - b) for a, b in zip(answer(deployed), before, strict=True)) < 1e-5


def test_deleting_the_stored_copy_breaks_the_next_pod_not_the_running_one(deployed: Lab) -> None:
    outputs = deployed.outputs()
    key = f"{outputs['modelPath']}/saved_model.pb"
    delete = (
        "import oss2,os,sys;a=oss2.AuthV4(os.environ['ALICLOUD_ACCESS_KEY'],os.environ['ALICLOUD_SECRET_KEY']);"
        + (
            "b=oss2.Bucket(a,'https://oss-cn-shanghai.aliyuncs.com',sys.argv[1],region='cn-shanghai');b.delete_object(sys.argv[2])"
        )
    )
    deployed.run("python", "-c", delete, outputs["bucket"], key)
    try:
        answer(deployed)
        (pod,) = deployed.kubectl("get", "pods", "-n", "inference", "-l", "app=tensorflow-serving")[
            "items"
        ]
        deployed.run(
            "kubectl",
            "delete",
            "pod",
            "-n",
            "inference",
            pod["metadata"]["name"],
            "--wait=true",
            "--timeout=1500s",
        )
        waited = deployed.run(
            "kubectl",
            "wait",
            "pod",
            "--all",
            "-n",
            "inference",
            "--for=condition=Ready",
            "--timeout=15s",
            check=False,
        )
        assert waited.returncode != 0
    finally:
        (model,) = [
            resource["urn"]
            for resource in deployed.state()
            if resource["type"] == "ossmodel:index:Model"
        ]
        repaired = deployed.up("--refresh", "--target", model)
        deployed.run(
            "kubectl",
            "delete",
            "pods",
            "--all",
            "-n",
            "inference",
            "--wait=true",
            "--timeout=1500s",
        )
    assert "~ 1 updated" in repaired.stdout
    deployed.run(
        "kubectl",
        "rollout",
        "status",
        "deployment",
        deployed.outputs()["deployment"],
        "-n",
        "inference",
        "--timeout=1500s",
    )
    answer(deployed)
