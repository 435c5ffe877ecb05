"""What is deployed: manifests by their schemas, and files that speak of each other agree."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import uvicorn
import yaml
from starlette.requests import Request
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from attention_core.experiment import Experiment
from attention_core.limits import LimitError, Limits
from benchmarks import replicas
from playground.service.asking import caller
from playground.service.cost import weigh
from playground.service.settings import MEBIBYTE, Service
from playground.settings import from_environment

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
NAME = "attention-playground"
LABELS = {"app.kubernetes.io/name": NAME}
PORT = 8501


def documents(path: Path) -> list[dict[str, Any]]:
    return [found for found in yaml.safe_load_all(path.read_text(encoding="utf-8")) if found]


def manifest(kind: str) -> dict[str, Any]:
    found = [document for path in MANIFESTS for document in documents(path) if document["kind"] == kind]
    assert len(found) == 1, kind
    return found[0]


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their arguments, continued lines joined, comments left out."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(name.upper(), rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def pins(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    lines = [re.sub(r'; sys_platform != "win32"$', "", line) for line in lines]  # the image is Linux
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._]+", line) for line in lines), lines
    pairs = (line.split("==") for line in lines)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_manifests_fit_the_schemas_of_kubernetes(path: Path, version: str) -> None:
    found = documents(path)
    assert found
    for document in found:
        kubernetes_validate.validate(document, version, strict=True)


def test_the_schemas_refuse_what_is_wrong() -> None:
    wrong = manifest("Deployment")
    wrong["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["httpGetter"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


def test_manifests_speak_of_the_same_pods() -> None:
    deployment, service, ingress = manifest("Deployment"), manifest("Service"), manifest("Ingress")
    scaler, budget = manifest("HorizontalPodAutoscaler"), manifest("PodDisruptionBudget")
    pods = deployment["spec"]["template"]
    assert pods["metadata"]["labels"] == deployment["spec"]["selector"]["matchLabels"] == LABELS
    assert service["spec"]["selector"] == budget["spec"]["selector"]["matchLabels"] == LABELS
    assert scaler["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
    container = pods["spec"]["containers"][0]
    assert container["ports"] == [{"name": "http", "containerPort": PORT}]
    assert service["spec"]["ports"][0]["targetPort"] == "http"
    behind = [path["backend"]["service"] for path in ingress["spec"]["rules"][0]["http"]["paths"]]
    assert behind == [{"name": service["metadata"]["name"], "port": {"name": service["spec"]["ports"][0]["name"]}}]
    assert deployment["spec"]["replicas"] == scaler["spec"]["minReplicas"] > budget["spec"]["minAvailable"]
    hosts = [host for entry in ingress["spec"]["tls"] for host in entry["hosts"]]
    assert hosts == [rule["host"] for rule in ingress["spec"]["rules"]]


def test_pods_are_watched_and_bounded() -> None:
    deployment = manifest("Deployment")
    pods = deployment["spec"]["template"]
    container = pods["spec"]["containers"][0]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/readyz",
        "readiness": "/readyz",
        "liveness": "/healthz",
    }
    assert {probe["port"] for probe in probes.values()} == {"http"}
    assert set(container["resources"]["limits"]) == set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert pods["metadata"]["annotations"]["prometheus.io/path"] == "/metrics"
    assert pods["metadata"]["annotations"]["prometheus.io/port"] == str(PORT)
    metrics = manifest("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert [one["pods"]["metric"]["name"] for one in metrics if one["type"] == "Pods"] == ["attention_sessions"]
    assert pods["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    annotations = manifest("Ingress")["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/affinity"] == "cookie"
    assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600


def test_the_image_is_pinned_small_and_not_run_by_root() -> None:
    steps = instructions()
    bases = [rest.split()[0] for name, rest in steps if name == "FROM"]
    assert bases and all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases), bases
    last = max(index for index, (name, _) in enumerate(steps) if name == "FROM")
    final = steps[last:]
    users = [rest for name, rest in final if name == "USER"]
    assert users and users[-1].isdecimal() and int(users[-1]) > 0
    pods = manifest("Deployment")["spec"]["template"]["spec"]
    assert pods["securityContext"]["runAsUser"] == int(users[-1])
    after = [name for name, _ in final[final.index(("USER", users[-1])) :]]
    assert "RUN" not in after and "COPY" not in after, "nothing that runs belongs to who runs it"
    assert [rest for name, rest in final if name == "EXPOSE"] == [str(PORT)]
    health = next(rest for name, rest in final if name == "HEALTHCHECK")
    assert f"127.0.0.1:{PORT}/readyz" in health
    assert next(rest for name, rest in final if name == "CMD") == '["streamlit", "run", "app.py"]'
    commands = [part for name, rest in steps if name == "RUN" for part in rest.split("&&")]
    installs = [part for part in commands if re.search(r"\bpip install\b", part)]
    assert len(installs) == 2
    assert all("--no-cache-dir" in part for part in installs), "no cache is left in a layer"
    assert "https://download.pytorch.org/whl/cpu" in installs[0] and "--no-deps" in installs[0]
    assert all("-r" in shlex.split(part) for part in installs), "what is installed stands in a file"


def environment() -> dict[str, str]:
    """What the image sets."""
    return dict(pair.split("=", 1) for name, rest in instructions() if name == "ENV" for pair in shlex.split(rest))


def test_the_image_is_set_for_the_memory_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limit wherever it is started, and no experiment that would not fit beside the start and a full cache."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    container = manifest("Deployment")["spec"]["template"]["spec"]["containers"][0]
    deploying = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    assert {compose["services"][name]["mem_limit"] for name in ("app-1", "app-2")} == {"1g"}
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert "docker run --rm -p 8501:8501 --memory 1g " in deploying
    ours = {name: value for name, value in environment().items() if name.startswith("ATTENTION_")}
    assert ours and all(f"`{name}={value}`" in deploying for name, value in ours.items())
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    limits, service = from_environment(Limits), from_environment(Service)
    text = " ".join(f"w{number}" for number in range(limits.max_tokens))
    additive = Experiment(text, num_heads=1, d_model=64, d_k=256, score="additive")
    with pytest.raises(LimitError, match="max_numbers"):
        limits.check(additive)
    started = 380 * MEBIBYTE  # docs/deploying.md
    widest = Experiment(text, num_heads=16, d_model=1024, d_k=256, d_v=256, position="shaw")
    for allowed in (widest, Experiment(text, num_heads=1, d_model=64, d_k=64, score="additive")):
        limits.check(allowed)
        assert started + service.cache_mb * MEBIBYTE + weigh(allowed).memory < 2**30


def test_what_is_copied_into_the_image_exists_and_is_let_through() -> None:
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line.removeprefix("!") for line in ignore if line.startswith("!")]
    assert "*" in ignore
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert {"app.py", "pages", "playground", "attention_core", "attention_viz", ".streamlit"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(entry == source or entry.startswith(f"{source}/") for entry in allowed), source


def test_the_pins_agree() -> None:
    wanted, held = pins(ROOT / "requirements.txt"), pins(DEPLOY / "constraints.txt")
    assert {name: held.get(name) for name in wanted} == wanted
    assert len(held) > 2 * len(wanted), "what the requirements bring with them is pinned too"


def test_compose_starts_what_nginx_sends_visitors_to() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    nginx = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    upstream = re.findall(r"^\s*server ([\w-]+):(\d+)", nginx, flags=re.MULTILINE)
    assert dict(upstream) == {"app-1": str(PORT), "app-2": str(PORT)}
    assert set(services) == {name for name, _ in upstream} | {"proxy"}
    for name, _ in upstream:
        replica = services[name]
        assert replica["expose"] == [str(PORT)] and "ports" not in replica
        assert (DEPLOY / replica["build"]["context"]).resolve() == ROOT
        assert (ROOT / replica["build"]["dockerfile"]).is_file()
        assert replica["read_only"] and replica["mem_limit"] == "1g"
        assert services["proxy"]["depends_on"][name] == {"condition": "service_healthy"}
    source, target, mode = services["proxy"]["volumes"][0].split(":")
    assert (DEPLOY / source).is_file() and target == "/etc/nginx/nginx.conf" and mode == "ro"
    listens = re.search(r"listen (\d+);", nginx)
    assert listens and services["proxy"]["ports"] == [f"8080:{listens[1]}"]
    for service in services.values():
        assert re.search(r":\d+\.\d+\.\d+", service["image"]), "a version, never the latest"


def test_nginx_passes_the_websocket_on_and_keeps_a_visitor_where_he_is() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for needed in (
        "proxy_http_version 1.1;",
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Connection $connection_upgrade;",
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "proxy_read_timeout 1h;",
        "hash $visitor consistent;",
        "add_header Set-Cookie $name_tag always;",
    ):
        assert nginx.count(needed) == 1, needed
    kept_inside = re.findall(r"location = (\S+) \{\s*return 404;\s*\}", nginx)
    assert kept_inside == ["/metrics", "/_stcore/metrics"]


COMPOSE_PROXY, A_POD, STRANGER, VISITOR = "172.30.85.10", "10.42.0.7", "198.51.100.9", "203.0.113.7"


@pytest.mark.parametrize(
    ("where", "peer", "seen"),
    [
        ("compose", COMPOSE_PROXY, VISITOR),
        ("compose", "172.30.85.1", "172.30.85.1"),  # another one of the network
        ("kubernetes", A_POD, VISITOR),
        ("kubernetes", STRANGER, STRANGER),
        ("image", STRANGER, STRANGER),
        ("image", A_POD, A_POD),
    ],
)
def test_the_visitor_s_address_is_the_proxy_s_word_and_no_stranger_s(
    where: str, peer: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What uvicorn makes of the header, whose first entry is what a visitor wrote into it himself."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    proxy = compose["services"]["proxy"]["networks"]["default"]["ipv4_address"]
    assert proxy == COMPOSE_PROXY
    assert ip_address(proxy) in ip_network(compose["networks"]["default"]["ipam"]["config"][0]["subnet"])
    container = manifest("Deployment")["spec"]["template"]["spec"]["containers"][0]
    given = {
        "image": environment(),
        "compose": environment() | compose["services"]["app-2"]["environment"],
        "kubernetes": environment() | {entry["name"]: entry["value"] for entry in container["env"]},
    }[where]
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    if "FORWARDED_ALLOW_IPS" in given:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", given["FORWARDED_ALLOW_IPS"])
    found: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(caller(Request(scope)))

    config = uvicorn.Config(app)
    assert config.proxy_headers
    header = (b"x-forwarded-for", f"192.0.2.1, {VISITOR}".encode())
    scope: Any = {"type": "http", "client": (peer, 1), "headers": [header]}
    behind = ProxyHeadersMiddleware(app, config.forwarded_allow_ips)
    asyncio.run(behind(scope, None, None))  # type: ignore[arg-type]
    assert found == [f"from {seen}"]


def test_nginx_reads_what_is_deployed(tmp_path: Path) -> None:
    program = replicas.find_nginx()
    if program is None:
        pytest.skip("nginx is not installed")
    text = replicas.configuration(18080, (18081, 18082), tmp_path)
    assert "app-1" not in text and "127.0.0.1:18082 max_fails=1" in text
    (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
    command = [program, "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
