"""Certificates, and a proxy that speaks TLS before a server of a namespace that does not."""

import contextlib
import os
import socket
import ssl
import threading

from namespace import run


class Authority:
    """A certificate authority with its files in `directory`."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory)
        self.file = os.path.join(directory, "ca.pem")
        self._key = os.path.join(directory, "ca.key")
        run(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=authority",
            "-addext",
            "keyUsage=keyCertSign",
            "-keyout",
            self._key,
            "-out",
            self.file,
        )

    def certificate(self, name, *alternatives):
        """(certificate, key), good for the alternatives: "DNS:api.example", "IP:127.0.0.1"."""
        key, request, made, extensions = (
            os.path.join(self.directory, name + ending) for ending in (".key", ".csr", ".pem", ".ext")
        )
        run(
            "openssl",
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            f"/CN={name}",
            "-keyout",
            key,
            "-out",
            request,
        )
        with open(extensions, "w", encoding="ascii") as file:
            file.write("subjectAltName=" + ",".join(alternatives))
        run(
            "openssl",
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            self.file,
            "-CAkey",
            self._key,
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            extensions,
            "-out",
            made,
        )
        return made, key


class Proxy:
    """Listens at 127.0.0.1:`port` of the namespace and hands what comes to 127.0.0.1:`to` there, without the `prefix` that the
    path of a connection's request begins with."""

    def __init__(self, namespace, certificate, port=8443, to=8181, prefix=""):
        self._namespace, self._to, self._prefix = namespace, to, prefix.encode()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self.connections = 0
        with namespace.entered():
            self._listener = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self):
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted):
        with contextlib.suppress(OSError), contextlib.closing(accepted):
            with self._context.wrap_socket(accepted, server_side=True) as client:
                with self._namespace.entered():
                    server = socket.create_connection(("127.0.0.1", self._to))
                with server:
                    # One direction each: what the server says goes back in a thread of its own.
                    back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
                    back.start()
                    self._copy(client, server, self._prefix)
                    with contextlib.suppress(OSError):
                        server.shutdown(socket.SHUT_WR)
                    back.join()

    @staticmethod
    def _copy(source, target, prefix=b""):
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part.replace(b" " + prefix + b"/", b" /", 1) if prefix else part)
                prefix = b""
        # The end of one direction of HTTP with `Connection: close` is the end of both.
        for each in (source, target):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
