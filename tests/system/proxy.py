"""nginx and haproxy in front of a host's REST API, speaking TLS as api.example.org, as Debian packages them (tools/packages.txt)."""

import os
import socket
import ssl
import subprocess

import rest
from process import Process, wait_until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAME = "api.example.org"
PORT = 8443

# As few lines as a first try has; `more` stands in the location.
NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr;
events {{ }}
http {{
  access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {directory}/both.pem; ssl_certificate_key {directory}/both.pem;
    location {location} {{ proxy_pass http://127.0.0.1:8181{upstream}; {more} }}
  }}
}}
"""

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend tls
  bind 127.0.0.1:{port} ssl crt {directory}/both.pem
  {more}
  default_backend api
backend api
  server one 127.0.0.1:8181
"""


def program(package):
    """The path of a proxy, of the system or unpacked by tools/install; None when there is none."""
    for root in (os.path.join(TOP, "build/packages", package), "/"):
        path = os.path.join(root, "usr/sbin", package)
        if os.access(path, os.X_OK):
            return path
    return None


class Proxy:
    """Runs in the host's namespace until close()."""

    def __init__(self, host, package, configuration, command):
        self.host = host
        self.directory = os.path.join(host.directory, package)
        os.makedirs(self.directory)
        pem = os.path.join(self.directory, "both.pem")
        self.certificate = os.path.join(self.directory, "certificate.pem")
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={NAME}",
                "-addext",
                f"subjectAltName=DNS:{NAME}",
                "-keyout",
                pem,
                "-out",
                self.certificate,
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        with open(self.certificate, encoding="ascii") as certificate, open(pem, "a", encoding="ascii") as both:
            both.write(certificate.read())
        path = os.path.join(self.directory, "conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(configuration.format(directory=self.directory, port=PORT))
        self.process = Process(
            host.namespace.command(*(part.format(conf=path, directory=self.directory) for part in command)),
            os.path.join(self.directory, "log"),
        )
        wait_until(self._listens, 20, f"{package} listens")

    def _listens(self):
        if not self.process.running():
            raise AssertionError(f"{self.process.argv} ended:\n{self.process.output()[-3000:]}")
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def connect(self):
        context = ssl.create_default_context(cafile=self.certificate)
        with self.host.namespace.entered():
            plain = socket.create_connection(("127.0.0.1", PORT), timeout=30)
        return context.wrap_socket(plain, server_hostname=NAME)

    def client(self, root="/midonet-api"):
        return rest.Client(self.connect, f"{NAME}:{PORT}", root)

    def close(self):
        self.process.end()


def nginx(host, location="/", upstream="", more=""):
    configuration = NGINX.replace("{location}", location).replace("{upstream}", upstream).replace("{more}", more)
    return Proxy(host, "nginx", configuration, [program("nginx"), "-p", "{directory}", "-e", "stderr", "-c", "{conf}"])


def haproxy(host, more=""):
    return Proxy(host, "haproxy", HAPROXY.replace("{more}", more), [program("haproxy"), "-db", "-f", "{conf}"])
