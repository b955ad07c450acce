// smtp_load: sends many messages over many connections at once and measures how fast they are accepted.
//   smtp_load --server 127.0.0.1:2525 --connections 100 --messages 10000 --to alice@example.test
//             [--tenants 200]      recipients alice@t0.example.test ... in turn
//             [--pool N]           different bodies (default: as many as messages)   [--bytes 8192]
//             [--key file] [--author-domain d] [--selector s] [--algorithm rsa|ed25519]   DKIM
//             [--pipelining 0|1] [--tag word]   [--print-dns 1]: print the DKIM record and end
// Ends with one line:
//   load messages=10000 accepted=10000 failed=0 seconds=1.234 rate=8100 p50_ms=10.1 p99_ms=20.5 client_cpu_seconds=0.4 busy=0.97
// where busy is the part of the machine's processors that worked meanwhile, for whomever.
// One thread, so that the client takes as little as possible of the machine that is measured.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <vector>

#include "bench/smtp_messages.h"
#include "formats/smtp/smtp_reply.h"

namespace {

using namespace mailhold;
using Time = std::chrono::steady_clock;

struct Options {
  std::string ip = "127.0.0.1", to = "alice@example.test", tag = "load";
  std::uint16_t port = 2525;
  std::size_t connections = 100, messages = 1'000, tenants = 0;
  bool pipelining = true;
};

// Hands out messages and collects the outcome.
class Run {
 public:
  Run(const Options& options, const bench::MessagePool& pool) : options_(options), pool_(pool) {
    latencies_.reserve(options.messages);
  }
  bool take(std::size_t& number) {
    if (next_ >= options_.messages) return false;
    number = next_++;
    return true;
  }
  std::string recipient(std::size_t number) const {
    if (options_.tenants == 0) return options_.to;
    const std::size_t at = options_.to.find('@');
    return options_.to.substr(0, at + 1) + "t" + std::to_string(number % options_.tenants) + "." + options_.to.substr(at + 1);
  }
  void append_content(std::string& out, std::size_t number) const {
    out += "Message-ID: <" + options_.tag + "." + std::to_string(number) + "@load.test>\r\n";
    out += pool_.messages[number % pool_.messages.size()];
    out += ".\r\n";
  }
  void finish(bool accepted, Time::duration took) {
    ++(accepted ? accepted_ : failed_);
    latencies_.push_back(std::chrono::duration<double, std::milli>(took).count());
  }
  bool is_over() const { return accepted_ + failed_ >= options_.messages; }
  void lose() { ++failed_; }
  const Options& options() const { return options_; }
  std::size_t accepted() const { return accepted_; }
  std::size_t failed() const { return failed_; }
  double percentile(double part) {
    if (latencies_.empty()) return 0;
    std::sort(latencies_.begin(), latencies_.end());
    return latencies_[std::min(latencies_.size() - 1, static_cast<std::size_t>(part * static_cast<double>(latencies_.size())))];
  }

 private:
  const Options& options_;
  const bench::MessagePool& pool_;
  std::size_t next_ = 0, accepted_ = 0, failed_ = 0;
  std::vector<double> latencies_;
};

class Connection {
 public:
  Connection(Run& run) : run_(run) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(run.options().port);
    ::inet_pton(AF_INET, run.options().ip.c_str(), &address.sin_addr);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::perror("connect");
    const int one = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ::fcntl(socket_, F_SETFL, O_NONBLOCK);
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  int socket() const { return socket_; }
  bool wants_to_write() const { return !out_.empty(); }

  // False when the connection is over.
  bool on_ready() {
    if (!flush()) return lost();
    char buffer[8192];
    for (;;) {
      const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
      if (count == 0) return lost();
      if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? true : lost();
      if (!reader_.receive({buffer, static_cast<std::size_t>(count)})) return lost();
      while (const auto reply = reader_.next()) {
        if (!advance(*reply)) return false;
      }
      if (!flush()) return lost();
      if (static_cast<std::size_t>(count) < sizeof buffer) return true;
    }
  }

 private:
  enum class At { greeting, ehlo, mail, rcpt, data, content, quit };

  bool lost() {
    if (has_message_) run_.lose();
    return false;
  }
  bool flush() {
    while (!out_.empty()) {
      const ssize_t count = ::send(socket_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
      out_.erase(0, static_cast<std::size_t>(count));
    }
    return true;
  }
  void begin() {
    has_message_ = run_.take(number_);
    if (!has_message_) {
      out_ += "QUIT\r\n";
      at_ = At::quit;
      return;
    }
    started_ = Time::now();
    good_ = true;
    out_ += "MAIL FROM:<load@sender.test>\r\n";
    at_ = At::mail;
    if (run_.options().pipelining) out_ += "RCPT TO:<" + run_.recipient(number_) + ">\r\nDATA\r\n";
  }
  void end(bool accepted) {
    run_.finish(accepted, Time::now() - started_);
    has_message_ = false;
    begin();
  }
  bool advance(const smtp::Reply& reply) {
    if (!reply.is_positive() && shown_ < 3) {
      ++shown_;
      std::fprintf(stderr, "smtp_load: %d %s %s\n", reply.code, reply.enhanced.c_str(), reply.text().c_str());
    }
    const bool pipelining = run_.options().pipelining;
    switch (at_) {
      case At::greeting:
        if (reply.code != 220) return lost();
        out_ += "EHLO load.test\r\n";
        at_ = At::ehlo;
        return true;
      case At::ehlo: begin(); return true;
      case At::mail:
        good_ = reply.is_positive();
        if (!pipelining) out_ += "RCPT TO:<" + run_.recipient(number_) + ">\r\n";
        at_ = At::rcpt;
        return true;
      case At::rcpt:
        good_ = good_ && reply.is_positive();
        if (!pipelining) out_ += "DATA\r\n";
        at_ = At::data;
        return true;
      case At::data:
        if (reply.code != 354) {
          out_ += "RSET\r\n";
          run_.finish(false, Time::now() - started_);
          has_message_ = false;
          at_ = At::ehlo;
          return true;
        }
        run_.append_content(out_, number_);
        at_ = At::content;
        return true;
      case At::content: end(reply.code == 250); return true;
      case At::quit: return false;
    }
    return false;
  }

  static inline int shown_ = 0;
  Run& run_;
  int socket_;
  std::string out_;
  smtp::ReplyReader reader_;
  At at_ = At::greeting;
  std::size_t number_ = 0;
  bool has_message_ = false, good_ = true;
  Time::time_point started_{};
};

void arm(int epoll, int operation, const Connection& connection, std::size_t index) {
  epoll_event event{};
  event.events = EPOLLIN | (connection.wants_to_write() ? static_cast<std::uint32_t>(EPOLLOUT) : 0u);
  event.data.u64 = index;
  ::epoll_ctl(epoll, operation, connection.socket(), &event);
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// Ticks of all processors since the machine started: in all, and those without work. proc(5), the first line of /proc/stat.
struct ProcessorTicks {
  double all = 0, idle = 0;
};

ProcessorTicks processor_ticks() {
  std::ifstream file("/proc/stat");
  std::string name;
  file >> name;
  ProcessorTicks ticks;
  for (int column = 0; column < 8; ++column) {  // user nice system idle iowait irq softirq steal
    double value = 0;
    file >> value;
    ticks.all += value;
    if (column == 3 || column == 4) ticks.idle += value;
  }
  return ticks;
}

int measure(const Options& options, const bench::MessagePool& pool) {
  Run run(options, pool);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const double cpu_before = cpu_seconds();
  const ProcessorTicks ticks_before = processor_ticks();
  const auto begin = Time::now();
  std::vector<std::unique_ptr<Connection>> connections;
  for (std::size_t i = 0; i < options.connections; ++i) {
    connections.push_back(std::make_unique<Connection>(run));
    arm(epoll, EPOLL_CTL_ADD, *connections.back(), i);
  }
  std::size_t open = connections.size();
  epoll_event events[256];
  while (open > 0 && !run.is_over()) {
    const int count = ::epoll_wait(epoll, events, 256, 60'000);
    if (count <= 0) break;
    for (int i = 0; i < count; ++i) {
      std::unique_ptr<Connection>& connection = connections[events[i].data.u64];
      if (!connection) continue;
      const bool wanted = connection->wants_to_write();
      if (!connection->on_ready()) {
        connection.reset();
        --open;
      } else if (wanted != connection->wants_to_write()) {
        arm(epoll, EPOLL_CTL_MOD, *connection, events[i].data.u64);
      }
    }
  }
  const double seconds = std::chrono::duration<double>(Time::now() - begin).count();
  const ProcessorTicks ticks = processor_ticks();
  const double all_ticks = std::max(1.0, ticks.all - ticks_before.all);
  std::printf(
      "load messages=%zu accepted=%zu failed=%zu seconds=%.3f rate=%.0f p50_ms=%.2f p99_ms=%.2f client_cpu_seconds=%.2f "
      "busy=%.2f\n",
      options.messages, run.accepted(), run.failed(), seconds, static_cast<double>(run.accepted()) / seconds, run.percentile(0.5),
      run.percentile(0.99), cpu_seconds() - cpu_before, 1 - (ticks.idle - ticks_before.idle) / all_ticks);
  ::close(epoll);
  return run.accepted() == options.messages ? 0 : 1;
}

}  // namespace

int main(int argument_count, char** arguments) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < argument_count; i += 2) given[arguments[i]] = arguments[i + 1];
  const auto text = [&given](const char* name, const std::string& otherwise) {
    return given.contains(name) ? given[name] : otherwise;
  };
  const auto number = [&text](const char* name, std::size_t otherwise) {
    return static_cast<std::size_t>(std::stoul(text(name, std::to_string(otherwise))));
  };
  Options options;
  const std::string server = text("--server", "127.0.0.1:2525");
  const std::size_t colon = server.rfind(':');
  if (colon == std::string::npos) return 2;
  options.ip = server.substr(0, colon);
  options.port = static_cast<std::uint16_t>(std::stoul(server.substr(colon + 1)));
  options.to = text("--to", options.to);
  options.tag = text("--tag", options.tag);
  options.connections = number("--connections", options.connections);
  options.messages = number("--messages", options.messages);
  options.tenants = number("--tenants", 0);
  options.pipelining = number("--pipelining", 1) != 0;

  bench::MessageSettings messages;
  messages.count = number("--print-dns", 0) != 0 ? 1 : number("--pool", options.messages);
  messages.bytes = number("--bytes", messages.bytes);
  messages.author_domain = text("--author-domain", messages.author_domain);
  messages.selector = text("--selector", messages.selector);
  messages.rsa = text("--algorithm", "rsa") == "rsa";
  messages.key_file = text("--key", "");
  messages.recipient_domain = options.to.substr(options.to.find('@') + 1);
  const auto pool = bench::make_messages(messages);
  if (!pool) return std::fprintf(stderr, "smtp_load: %s\n", pool.error().detail.c_str()), 1;
  if (number("--print-dns", 0) != 0) return std::printf("%s TXT \"%s\"\n", pool->dns_name.c_str(), pool->dns_text.c_str()), 0;
  return measure(options, *pool);
}
