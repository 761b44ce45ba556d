"""Certificates for tests, by the openssl command: tests that use them carry its peer mark."""

import subprocess
from pathlib import Path


class Certificates:
    """An authority, and what it signed for 127.0.0.1 and for a client, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.joinpath("san").write_text("subjectAltName=IP:127.0.0.1")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        self._openssl(
            "req", "-x509", *curve, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.crt"
        )
        for name in ("server", "client"):
            self._openssl(
                "req", *curve, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr"
            )
            signer = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san", "-days", "2")
            self._openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.crt")

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)

    def flags(self, *, cert: str = "--cert") -> tuple[str, ...]:
        """What a client is given, by etcdctl's flags, which are ours too."""
        return ("--cacert", self["ca.crt"], cert, self["client.crt"], "--key", self["client.key"])
