"""A throw-away certificate authority for this machine, so that the real libraries can speak real TLS.

    pki = make_pki(directory)
    os.environ["REQUESTS_CA_BUNDLE"] = str(pki.ca)   # requests, MSAL and azure-core all read it

The authority vouches for localhost and 127.0.0.1 alone and for a few days; its own key is never written.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS = 7
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Pki:
    """Where the files are: the authority's certificate, the server's certificate and its key (all PEM)."""

    ca: Path
    server: Path
    server_key: Path

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS context of a server that calls itself localhost."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.server_key)
        return context


def make_pki(directory: Path) -> Pki:
    """Write ca.pem, server.pem and server-key.pem into `directory`, in place of what is there."""
    pki = Pki(directory / "ca.pem", directory / "server.pem", directory / "server-key.pem")
    directory.mkdir(parents=True, exist_ok=True)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("Local stack's own authority")
    ca = _authority(ca_name, ca_key)
    server = _server(ca_name, ca_key, key)
    pki.ca.write_bytes(ca.public_bytes(Encoding.PEM))
    pki.server.write_bytes(server.public_bytes(Encoding.PEM))
    pki.server_key.touch(mode=0o600)
    pki.server_key.write_bytes(_pem(key, NoEncryption()))
    return pki


def make_client_certificate(path: Path, password: str = "") -> bytes:
    """Write an application's certificate with its RSA key and return the public certificate (PEM).

    PFX when `path` ends in .pfx, PEM otherwise; the key is encrypted when a password is given.
    """
    key = rsa.generate_private_key(65537, 2048)
    name = _name("partner application")
    certificate = _builder(name, name, key).sign(key, hashes.SHA256())
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    path.touch(mode=0o600)
    if path.suffix == ".pfx":
        path.write_bytes(pkcs12.serialize_key_and_certificates(b"app", key, certificate, None, encryption))
    else:
        path.write_bytes(_pem(key, encryption) + certificate.public_bytes(Encoding.PEM))
    return certificate.public_bytes(Encoding.PEM)


def _authority(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .add_extension(
            x509.NameConstraints(
                [x509.DNSName("localhost"), x509.IPAddress(IPv4Network("127.0.0.0/8"))],
                excluded_subtrees=None,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )


def _server(
    issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    names = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        _builder(_name("localhost"), issuer, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(authority, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: _Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: _Key, encryption: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
