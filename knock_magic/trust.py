"""Whom we connect to: the certificates that the user trusts, and the addresses that nothing is sent to."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING, List, Union

if TYPE_CHECKING:
    import ssl

# What a cloud answers its own machines at, besides the link-local addresses: AWS over IPv6, Alibaba, Azure.
_METADATA = ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")
_METADATA_NAMES = ("metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal")


class Inward(ValueError):
    """An address of the machine's own surroundings, where a cloud keeps its keys."""


def ca_bundle() -> str:
    """The file of certificates that the user trusts, if they named one."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def tls() -> ssl.SSLContext:
    """For what does not go through requests: the same certificates, and the system's own.

    Raises:
        OSError: the file that the user named can't be read.
    """
    import ssl

    import requests.utils

    bundle = ca_bundle()
    context = ssl.create_default_context(cafile=bundle or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not bundle:
        context.load_verify_locations(requests.utils.DEFAULT_CA_BUNDLE_PATH)  # some Pythons find none of the system's
    return context


def refuse_inward(host: str, port: int, look_up: bool = True) -> None:
    """Raise `Inward` if `host` is link-local or a cloud's metadata service, by its name or by what it stands for."""
    host = host.rstrip(".")
    if is_inward(host) or (look_up and any(map(is_inward, _addresses(host, port)))):
        raise Inward


def is_inward(host: str) -> bool:
    """Whether `host`, a name or an address, is link-local or a cloud's metadata service."""
    if host.lower() in _METADATA_NAMES:
        return True
    try:
        address: Union[ipaddress.IPv4Address, ipaddress.IPv6Address] = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return plain.is_link_local or str(plain) in _METADATA


def is_this_machine(host: str) -> bool:
    """Whether what is said to `host` leaves no machine."""
    return host.lower() in ("localhost", "127.0.0.1", "::1")


def _addresses(host: str, port: int) -> List[str]:
    """What `host` stands for; nothing where that can't be found out, which the connection then tells."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]
