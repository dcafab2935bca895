#include "http/async_client.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <optional>

#include "base/ip.h"

namespace midonet::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (tls ? "443" : "80") ? name : name + ":" + port;
}

Result<Url> Url::parse(const std::string& text) {
  Url url;
  url.tls = text.starts_with("https://");
  if (!url.tls && !text.starts_with("http://")) return fail(Code::invalid, "'{}' is not an http or https URL", text);
  std::string rest = text.substr(url.tls ? 8 : 7);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  url.path = rest.substr(slash);
  rest.resize(slash);
  while (url.path.ends_with('/')) url.path.pop_back();
  url.port = url.tls ? "443" : "80";
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string::npos && rest.find(']', colon) == std::string::npos) {
    url.port = rest.substr(colon + 1);
    rest.resize(colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  url.host = rest;
  const bool digits = !url.port.empty() && url.port.find_first_not_of("0123456789") == std::string::npos;
  const bool odd = std::any_of(text.begin(), text.end(), [](char c) {
    return c == '?' || c == '#' || c == '@' || static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
  });
  if (url.host.empty() || !digits || odd) return fail(Code::invalid, "'{}' is not an http or https URL", text);
  return url;
}

struct AsyncClient::Impl {
  Impl(Loop& l, const AsyncClient::Options& o) : loop(l), options(o), tls(asio::ssl::context::tls_client) {
    error_code ignored;
    tls.set_verify_mode(asio::ssl::verify_peer, ignored);
    if (options.ca_file.empty())
      tls.set_default_verify_paths(ignored);  // without them nothing verifies, which is said then
    else
      tls.load_verify_file(options.ca_file, unusable);
  }
  Loop& loop;
  AsyncClient::Options options;
  asio::ssl::context tls;
  error_code unusable{};  // why the authorities of ca_file could not be read
};

namespace {

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(Loop& loop, asio::ssl::context& tls, std::weak_ptr<void> client, Url url, AsyncClient::Done done)
      : client_(std::move(client)),
        url_(std::move(url)),
        done_(std::move(done)),
        resolver_(loop.io()),
        stream_(beast::tcp_stream(loop.io()), tls),
        timer_() {}

  void start(Loop& loop, std::uint64_t longest_answer, const std::string& method, const std::string& path,
             const Headers& headers, const std::string& body, std::chrono::milliseconds deadline) {
    request_.method_string(method);
    request_.target(url_.path + path);
    request_.set(beast::http::field::host, url_.authority());
    request_.set(beast::http::field::connection, "close");
    for (const auto& [name, value] : headers) request_.set(name, value);
    request_.body() = body;
    request_.prepare_payload();
    parser_.body_limit(longest_answer);
    timer_ = loop.after(deadline, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->finish(fail(Code::unavailable, "{}: no answer in time", self->name()));
    });
    resolver_.async_resolve(url_.host, url_.port,
                            [self = shared_from_this()](error_code error, const tcp::resolver::results_type& found) {
                              if (error) return self->broke_off("cannot look the name up", error);
                              self->connect(found);
                            });
  }

 private:
  std::string name() const { return (url_.tls ? "https://" : "http://") + url_.authority() + url_.path; }

  void broke_off(const char* what, error_code error) {
    finish(fail(Code::unavailable, "{}: {}: {}", name(), what, error.message()));
  }

  void finish(Result<Response> result) {
    if (!done_) return;
    const AsyncClient::Done done = std::exchange(done_, {});
    const auto self = shared_from_this();
    timer_.cancel();
    resolver_.cancel();
    error_code ignored;
    lowest().socket().close(ignored);
    if (!client_.expired()) done(std::move(result));
  }

  beast::tcp_stream& lowest() { return stream_.next_layer(); }

  void connect(const tcp::resolver::results_type& found) {
    if (!done_) return;
    lowest().async_connect(found, [self = shared_from_this()](error_code error, const tcp::endpoint&) {
      if (error) return self->broke_off("cannot connect", error);
      self->url_.tls ? self->shake_hands() : self->write();
    });
  }

  void shake_hands() {
    if (!done_) return;
    SSL* const ssl = stream_.native_handle();
    // Who has to be there is part of the certificate's check, so that a failure says it. A name is also asked for, for servers
    // that have several (RFC 6066 section 3; never an address). The macro of OpenSSL for this has an old-style cast.
    const bool named = Ip::parse(url_.host) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), url_.host.c_str()) == 1
                                            : SSL_set1_host(ssl, url_.host.c_str()) == 1 &&
                                                  SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                                           url_.host.data()) == 1;
    if (!named) return finish(fail(Code::unavailable, "{}: the name cannot be asked for", name()));
    stream_.async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](error_code error) {
      if (error) return self->not_shaken(error);
      self->write();
    });
  }

  void not_shaken(error_code error) {
    const long verdict = SSL_get_verify_result(stream_.native_handle());
    if (verdict == X509_V_OK) return broke_off("TLS", error);
    finish(fail(Code::unauthenticated, "{}: its certificate is not good: {}", name(),
                X509_verify_cert_error_string(verdict)));
  }

  void write() {
    if (!done_) return;
    const auto written = [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->broke_off("cannot send", error);
      self->read();
    };
    if (url_.tls)
      beast::http::async_write(stream_, request_, written);
    else
      beast::http::async_write(lowest(), request_, written);
  }

  void read() {
    if (!done_) return;
    const auto answered = [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->broke_off("cannot receive", error);
      self->answer();
    };
    if (url_.tls)
      beast::http::async_read(stream_, buffer_, parser_, answered);
    else
      beast::http::async_read(lowest(), buffer_, parser_, answered);
  }

  void answer() {
    auto message = parser_.release();
    Response response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message)
      response.headers.emplace(std::string(field.name_string()), std::string(field.value()));
    response.body = std::move(message.body());
    finish(std::move(response));
  }

  std::weak_ptr<void> client_;
  Url url_;
  AsyncClient::Done done_;
  tcp::resolver resolver_;
  beast::ssl_stream<beast::tcp_stream> stream_;  // without TLS, its lowest layer alone
  beast::flat_buffer buffer_;
  beast::http::request<beast::http::string_body> request_;
  beast::http::response_parser<beast::http::string_body> parser_;
  Timer timer_;
};

}  // namespace

AsyncClient::AsyncClient(Loop& loop) : AsyncClient(loop, Options()) {}
AsyncClient::AsyncClient(Loop& loop, const Options& options) : impl_(std::make_shared<Impl>(loop, options)) {}
AsyncClient::~AsyncClient() = default;

void AsyncClient::call(const Url& url, const std::string& method, const std::string& path, const Headers& headers,
                       const std::string& body, std::chrono::milliseconds deadline, Done done) {
  if (url.tls && impl_->unusable)
    return impl_->loop.post([client = std::weak_ptr<void>(impl_), done = std::move(done),
                             why = fail(Code::invalid, "read the certificates in {}: {}", impl_->options.ca_file,
                                        impl_->unusable.message())] {
      if (!client.expired()) done(why);
    });
  std::make_shared<Exchange>(impl_->loop, impl_->tls, impl_, url, std::move(done))
      ->start(impl_->loop, impl_->options.longest_answer, method, path, headers, body, deadline);
}

}  // namespace midonet::http
