// What a guest of the cloud's test measures with; linked statically, since the guest has no libraries.
//
//   probe echo PORT                       answers every datagram with itself, for ever
//   probe ping ADDRESS PORT US SECONDS    sends a numbered datagram every US microseconds to an echo, for that long or until
//                                         SIGTERM, and prints
//                                         sent=N received=N lost=N gap_us=N gap_at=SECONDS first_lost=N last_lost=N
//                                         where the gap is the longest time between two answers, and gap_at when it began,
//                                         in seconds since the guest's start (as /proc/uptime)
//   probe sink PORT                       takes one TCP connection, prints bytes=N hash=H of what came
//   probe flow ADDRESS PORT MIB           sends that much over TCP, prints the same and ms=N
//
// Exit status 0, or 1 with what failed on stderr.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

namespace {

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "probe: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

std::int64_t now_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000LL + now.tv_nsec / 1000;
}

sockaddr_in address_of(const char* text, const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) {
    errno = EINVAL;
    fail(text);
  }
  return address;
}

int socket_at(int type, const char* port) {
  const int made = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in any = address_of("0.0.0.0", port);
  if (bind(made, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) {
    fail("bind");
  }
  return made;
}

int connected(int type, const char* to, const char* port) {
  const int made = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const sockaddr_in address = address_of(to, port);
  if (connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connect");
  }
  return made;
}

int echo(const char* port) {
  const int at = socket_at(SOCK_DGRAM, port);
  std::array<char, 2048> buffer{};
  for (;;) {
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const ssize_t got = recvfrom(at, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got >= 0) {
      sendto(at, buffer.data(), static_cast<std::size_t>(got), 0, reinterpret_cast<const sockaddr*>(&from), length);
    }
  }
}

// Reads whatever answers are there; the time of each is when it is read.
class Answers {
 public:
  explicit Answers(std::size_t most) : seen_(most), last_(now_us()) {}

  void read(int from) {
    std::uint32_t number = 0;
    while (recv(from, &number, sizeof number, MSG_DONTWAIT) == static_cast<ssize_t>(sizeof number)) {
      if (number >= seen_.size() || seen_[number]) {
        continue;
      }
      seen_[number] = true;
      ++received_;
      const std::int64_t now = now_us();
      if (now - last_ > gap_) {
        gap_ = now - last_;
        gap_at_ = last_;
      }
      last_ = now;
    }
  }

  void print(std::uint32_t sent) const {
    long first = -1;
    long last = -1;
    for (std::uint32_t i = 0; i < sent; ++i) {
      if (!seen_[i]) {
        first = first < 0 ? static_cast<long>(i) : first;
        last = static_cast<long>(i);
      }
    }
    std::printf("sent=%u received=%u lost=%u gap_us=%lld gap_at=%.6f first_lost=%ld last_lost=%ld\n", sent, received_,
                sent - received_, static_cast<long long>(gap_), static_cast<double>(gap_at_) / 1e6, first, last);
  }

 private:
  std::vector<bool> seen_;
  std::uint32_t received_ = 0;
  std::int64_t last_, gap_ = 0, gap_at_ = 0;
};

volatile std::sig_atomic_t told_to_end = 0;

int ping(const char* to, const char* port, std::int64_t interval, std::int64_t seconds) {
  const int link = connected(SOCK_DGRAM, to, port);
  std::signal(SIGTERM, [](int) { told_to_end = 1; });
  const auto count = static_cast<std::uint32_t>(seconds * 1'000'000 / interval);
  Answers answers(count);
  std::int64_t due = now_us();
  std::uint32_t sent = 0;
  pollfd readable{link, POLLIN, 0};
  const auto until = [&](std::int64_t moment) {
    for (std::int64_t left = moment - now_us(); left > 0; left = moment - now_us()) {
      const timespec wait{left / 1'000'000, left % 1'000'000 * 1000};
      ppoll(&readable, 1, &wait, nullptr);
      answers.read(link);
    }
  };
  for (const std::int64_t end = due + seconds * 1'000'000; sent < count && now_us() < end && told_to_end == 0;
       ++sent, due += interval) {
    // An error is a lost one: ICMP may say so while the other guest is elsewhere.
    [[maybe_unused]] const ssize_t ignored = send(link, &sent, sizeof sent, 0);
    until(due + interval);
  }
  until(now_us() + 1'000'000);
  answers.print(sent);
  return 0;
}

// FNV-1a, so that both ends can say what passed.
struct Sum {
  std::uint64_t bytes = 0, hash = 14695981039346656037ULL;
  void add(const char* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      hash = (hash ^ static_cast<unsigned char>(data[i])) * 1099511628211ULL;
    }
    bytes += size;
  }
};

int sink(const char* port) {
  const int at = socket_at(SOCK_STREAM, port);
  listen(at, 1);
  const int peer = accept(at, nullptr, nullptr);
  std::vector<char> buffer(256 * 1024);
  Sum sum;
  for (;;) {
    const ssize_t got = read(peer, buffer.data(), buffer.size());
    if (got < 0) {
      fail("read");
    }
    if (got == 0) {
      break;
    }
    sum.add(buffer.data(), static_cast<std::size_t>(got));
  }
  std::printf("bytes=%llu hash=%016llx\n", static_cast<unsigned long long>(sum.bytes),
              static_cast<unsigned long long>(sum.hash));
  return 0;
}

int flow(const char* to, const char* port, int mib) {
  const int link = connected(SOCK_STREAM, to, port);
  std::vector<char> buffer(1024 * 1024);
  std::uint32_t state = 1;
  Sum sum;
  const std::int64_t since = now_us();
  for (int i = 0; i < mib; ++i) {
    for (char& byte : buffer) {
      state = state * 1664525U + 1013904223U;
      byte = static_cast<char>(state >> 24U);
    }
    sum.add(buffer.data(), buffer.size());
    for (std::size_t done = 0; done < buffer.size();) {
      const ssize_t wrote = write(link, buffer.data() + done, buffer.size() - done);
      if (wrote < 0) {
        fail("write");
      }
      done += static_cast<std::size_t>(wrote);
    }
  }
  shutdown(link, SHUT_WR);
  char end = 0;
  [[maybe_unused]] const ssize_t closed = read(link, &end, 1);
  std::printf("bytes=%llu hash=%016llx ms=%lld\n", static_cast<unsigned long long>(sum.bytes),
              static_cast<unsigned long long>(sum.hash), static_cast<long long>((now_us() - since) / 1000));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "echo" && argc == 3) {
    return echo(argv[2]);
  }
  if (what == "ping" && argc == 6) {
    return ping(argv[2], argv[3], std::atoll(argv[4]), std::atoll(argv[5]));
  }
  if (what == "sink" && argc == 3) {
    return sink(argv[2]);
  }
  if (what == "flow" && argc == 5) {
    return flow(argv[2], argv[3], std::atoi(argv[4]));
  }
  std::fputs("usage: probe echo PORT | ping ADDRESS PORT US SECONDS | sink PORT | flow ADDRESS PORT MIB\n", stderr);
  return 1;
}
