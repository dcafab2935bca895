#include "http/client.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ip.h"

namespace midonet::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;
using Stream = beast::basic_stream<asio::generic::stream_protocol>;
using Place = asio::generic::stream_protocol::endpoint;

bool has_line_break(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos; }

bool is_legal(const std::string& method, const std::string& target, const Headers& headers) {
  if (has_line_break(method) || has_line_break(target) || target.find(' ') != target.npos) return false;
  return std::none_of(headers.begin(), headers.end(),
                      [](const auto& header) { return has_line_break(header.first) || has_line_break(header.second); });
}

}  // namespace

std::string Url::authority() const {
  if (!socket.empty()) return "localhost";
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (tls ? "443" : "80") ? name : name + ":" + port;
}

std::string Url::text() const {
  return socket.empty() ? (tls ? "https://" : "http://") + authority() + path : "unix:" + socket;
}

Result<Url> Url::unix_socket(const std::string& path) {
  constexpr std::size_t longest = 107;  // unix(7): sun_path, with the zero behind it
  if (path.empty() || path.size() > longest)
    return fail(Code::invalid, "unix:{}: a socket's path has 1 to {} bytes", path, longest);
  Url url;
  url.socket = path;
  return url;
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

struct Client::Impl {
  Impl(Loop& l, const Client::Options& o) : loop(l), options(o), tls(asio::ssl::context::tls_client) {}

  // Reads the authorities, once and only for https: there are many of them.
  void read_authorities() {
    if (std::exchange(authorities_read, true)) return;
    error_code ignored;
    tls.set_verify_mode(asio::ssl::verify_peer, ignored);
    if (options.ca_file.empty())
      tls.set_default_verify_paths(ignored);  // without them nothing verifies, which is said then
    else
      tls.load_verify_file(options.ca_file, unusable);
  }

  Loop& loop;
  Client::Options options;
  asio::ssl::context tls;
  bool authorities_read = false;
  error_code unusable{};  // why the authorities of ca_file could not be read
};

namespace {

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(Loop& loop, asio::ssl::context& tls, std::weak_ptr<void> client, Url url, Client::Done done)
      : client_(std::move(client)),
        url_(std::move(url)),
        done_(std::move(done)),
        resolver_(loop.io()),
        stream_(Stream(loop.io()), tls) {}

  void start(Loop& loop, std::uint64_t longest_answer, const std::string& method, const std::string& path,
             const Headers& headers, const std::string& body, std::chrono::milliseconds deadline) {
    request_.method_string(method);
    request_.target(url_.path + path);
    request_.set(beast::http::field::host, url_.authority());
    request_.set(beast::http::field::connection, "close");
    for (const auto& [name, value] : headers) request_.set(name, value);
    request_.body() = body;
    request_.prepare_payload();
    longest_answer_ = longest_answer;
    timer_ = loop.after(deadline, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->finish(fail(Code::unavailable, "{}: no answer in time", self->name()));
    });
    if (!url_.socket.empty()) {
      places_.emplace_back(asio::local::stream_protocol::endpoint(url_.socket));
      return connect();
    }
    resolver_.async_resolve(url_.host, url_.port,
                            [self = shared_from_this()](error_code error, const tcp::resolver::results_type& found) {
                              if (error) return self->broke_off("cannot look the name up", error);
                              for (const auto& one : found) self->places_.emplace_back(one.endpoint());
                              self->connect();
                            });
  }

 private:
  std::string name() const { return url_.text(); }

  void broke_off(const char* what, error_code error) {
    const bool forbidden = error == boost::system::errc::permission_denied;
    finish(fail(forbidden ? Code::forbidden : Code::unavailable, "{}: {}: {}", name(), what, error.message()));
  }

  void finish(Result<Response> result) {
    if (!done_) return;
    const Client::Done done = std::exchange(done_, {});
    const auto self = shared_from_this();
    timer_.cancel();
    resolver_.cancel();
    error_code ignored;
    lowest().socket().close(ignored);
    if (!client_.expired()) done(std::move(result));
  }

  Stream& lowest() { return stream_.next_layer(); }

  void connect() {
    if (!done_) return;
    lowest().async_connect(places_, [self = shared_from_this()](error_code error, const Place&) {
      if (error) return self->broke_off("cannot connect", error);
      self->url_.tls ? self->shake_hands() : self->exchange();
    });
  }

  void shake_hands() {
    if (!done_) return;
    SSL* const ssl = stream_.native_handle();
    // The expected name is part of the certificate's check, so that a failure names it. The name is also sent, for servers
    // that have several (RFC 6066 section 3; never an address). The macro of OpenSSL for this has an old-style cast.
    const bool named = Ip::parse(url_.host) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), url_.host.c_str()) == 1
                                            : SSL_set1_host(ssl, url_.host.c_str()) == 1 &&
                                                  SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                                           url_.host.data()) == 1;
    if (!named) return finish(fail(Code::unavailable, "{}: the name cannot be asked for", name()));
    stream_.async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](error_code error) {
      if (error) return self->not_shaken(error);
      self->exchange();
    });
  }

  void not_shaken(error_code error) {
    const long verdict = SSL_get_verify_result(stream_.native_handle());
    if (verdict == X509_V_OK) return broke_off("TLS", error);
    finish(fail(Code::unauthenticated, "{}: its certificate is not good: {}", name(),
                X509_verify_cert_error_string(verdict)));
  }

  // The answer is read while the request is still being sent: a server may refuse a request whose body it does not read.
  void exchange() {
    if (!done_) return;
    const auto written = [self = shared_from_this()](error_code error, std::size_t) { self->unsent_ = error; };
    if (url_.tls)
      beast::http::async_write(stream_, request_, written);
    else
      beast::http::async_write(lowest(), request_, written);
    read();
  }

  void read() {
    parser_.emplace();
    parser_->body_limit(longest_answer_);
    parser_->header_limit(256 * 1024);
    parser_->skip(request_.method() == beast::http::verb::head);
    const auto answered = [self = shared_from_this()](error_code error, std::size_t) {
      if (!self->done_) return;
      if (error) return self->not_answered(error);
      if (self->parser_->get().result_int() / 100 == 1) return self->read();  // an interim answer: 100 Continue
      self->answer();
    };
    if (url_.tls)
      beast::http::async_read(stream_, buffer_, *parser_, answered);
    else
      beast::http::async_read(lowest(), buffer_, *parser_, answered);
  }

  void not_answered(error_code error) {
    using beast::http::error::body_limit, beast::http::error::end_of_stream, beast::http::error::partial_message;
    if (unsent_) return broke_off("cannot send", unsent_);
    if (error == end_of_stream || error == partial_message)
      return finish(fail(Code::unavailable, "{}: the connection was closed before the answer was complete", name()));
    const bool malformed = error.category() == make_error_code(body_limit).category() && error != body_limit;
    broke_off(malformed ? "the answer is not HTTP" : "cannot receive", error);
  }

  void answer() {
    auto message = parser_->release();
    Response response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message)
      response.headers.emplace(std::string(field.name_string()), std::string(field.value()));
    response.body = std::move(message.body());
    finish(std::move(response));
  }

  std::weak_ptr<void> client_;
  Url url_;
  Client::Done done_;
  tcp::resolver resolver_;
  std::vector<Place> places_;
  beast::ssl_stream<Stream> stream_;  // without TLS, its lowest layer alone
  beast::flat_buffer buffer_;
  beast::http::request<beast::http::string_body> request_;
  std::optional<beast::http::response_parser<beast::http::string_body>> parser_;
  std::uint64_t longest_answer_ = 0;
  error_code unsent_;  // why the request could not be sent whole
  Timer timer_;
};

}  // namespace

Client::Client(Loop& loop) : Client(loop, Options()) {}
Client::Client(Loop& loop, const Options& options) : impl_(std::make_shared<Impl>(loop, options)) {}
Client::~Client() = default;

void Client::call(const Url& url, const std::string& method, const std::string& path, const Headers& headers,
                  const std::string& body, std::chrono::milliseconds deadline, Done done) {
  if (url.tls) impl_->read_authorities();
  Status possible;
  if (!is_legal(method, path, headers))
    possible = fail(Code::invalid, "{}: a line break in the request", url.text());
  else if (url.tls && impl_->unusable)
    possible =
        fail(Code::invalid, "read the certificates in {}: {}", impl_->options.ca_file, impl_->unusable.message());
  if (!possible)
    return impl_->loop.post([client = std::weak_ptr<void>(impl_), done = std::move(done), possible] {
      if (!client.expired()) done(failed(possible));
    });
  std::make_shared<Exchange>(impl_->loop, impl_->tls, impl_, url, std::move(done))
      ->start(impl_->loop, impl_->options.longest_answer, method, path, headers, body, deadline);
}

Result<Response> call(const std::string& endpoint, const std::string& method, const std::string& target,
                      const Headers& headers, const std::string& body, std::chrono::milliseconds deadline,
                      const Client::Options& options) {
  const auto url = endpoint.starts_with("unix:") ? Url::unix_socket(endpoint.substr(5)) : Url::parse(endpoint);
  if (!url) return failed(url);
  Loop loop;
  Client client(loop, options);
  std::optional<Result<Response>> answer;
  client.call(*url, method, target, headers, body, deadline,
              [&](Result<Response> result) { answer = std::move(result); });
  // The client has the deadline; a little more here, so that it is the client that says what was waited for.
  if (!loop.run_until([&] { return answer.has_value(); }, deadline + std::chrono::seconds(5)))
    return fail(Code::unavailable, "{}: no answer in time", endpoint);
  return *std::move(answer);
}

}  // namespace midonet::http
