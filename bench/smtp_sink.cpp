// smtp_sink: a fast SMTP server that keeps nothing and counts Message-IDs: what a benchmark measures arrivals with.
//   smtp_sink --listen 127.0.0.1:2526 [--expect N]
// Ends on SIGTERM or SIGINT, or once N different messages have come, with one line:
//   sink messages=1000 unique=1000 duplicates=0 bytes=8400000 seconds=1.234
// Seconds run from the first connection to the last message.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/text.h"
#include "formats/smtp/smtp_server_dialogue.h"
#include "platform/net/listener.h"

namespace {

using namespace mailhold;
using Time = std::chrono::steady_clock;

std::atomic<bool> stopping = false;

class Tally {
 public:
  void count(const std::string& content) {
    const std::string id = message_id(content);
    const std::lock_guard lock(mutex_);
    ++messages_;
    bytes_ += content.size();
    if (!seen_.insert(id).second) ++duplicates_;
    last_ = Time::now();
  }
  void first_connection() {
    const std::lock_guard lock(mutex_);
    if (first_ == Time::time_point{}) first_ = last_ = Time::now();
  }
  std::size_t unique() {
    const std::lock_guard lock(mutex_);
    return seen_.size();
  }
  void print() {
    const std::lock_guard lock(mutex_);
    std::printf("sink messages=%zu unique=%zu duplicates=%zu bytes=%zu seconds=%.3f\n", messages_, seen_.size(), duplicates_,
                bytes_, std::chrono::duration<double>(last_ - first_).count());
  }

 private:
  static std::string message_id(std::string_view content) {
    while (!content.empty() && content.front() != '\r') {
      const std::size_t end = std::min(content.find('\n'), content.size() - 1) + 1;
      if (starts_with_ignoring_case(content, "message-id:")) return std::string(trim(content.substr(11, end - 11)));
      content.remove_prefix(end);
    }
    return {};
  }
  std::mutex mutex_;
  std::unordered_set<std::string> seen_;
  std::size_t messages_ = 0, duplicates_ = 0, bytes_ = 0;
  Time::time_point first_{}, last_{};
};

class TakesAll final : public smtp::SessionRules {
 public:
  std::optional<smtp::Reply> refuse_mail(const smtp::MailParameters&) override { return std::nullopt; }
  std::optional<smtp::Reply> refuse_recipient(const smtp::Address&) override { return std::nullopt; }
  void forget_transaction() override {}
};

bool wait_for(int socket, short events) {
  for (;;) {
    pollfd watched{socket, events, 0};
    const int ready = ::poll(&watched, 1, 500);
    if (ready > 0) return true;
    if (stopping) return false;
  }
}

bool send_all(int socket, std::string& bytes) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t count = ::send(socket, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count > 0)
      rest.remove_prefix(static_cast<std::size_t>(count));
    else if (!wait_for(socket, POLLOUT))
      return false;
  }
  bytes.clear();
  return true;
}

void serve(int socket, const smtp::ServerSettings& settings, Tally& tally) {
  TakesAll rules;
  smtp::ServerDialogue dialogue(settings, rules);
  dialogue.greet();
  std::string buffer(64 * 1024, '\0');
  bool open = send_all(socket, dialogue.output());
  while (open && wait_for(socket, POLLIN)) {
    const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    std::string_view input(buffer.data(), static_cast<std::size_t>(count));
    for (bool more = true; more;) {
      switch (dialogue.run(input)) {
        case smtp::ServerDialogue::Event::message:
          tally.count(dialogue.take_message().content);
          dialogue.finish_message(smtp::reply(250, "2.0.0", "counted"));
          break;
        case smtp::ServerDialogue::Event::close:
          open = false;
          more = false;
          break;
        default: more = false;
      }
    }
    if (!send_all(socket, dialogue.output())) break;
  }
  ::close(socket);
}

}  // namespace

int main(int argument_count, char** arguments) {
  std::string address = "127.0.0.1:2526";
  std::size_t expected = 0;
  for (int i = 1; i + 1 < argument_count; i += 2) {
    if (std::strcmp(arguments[i], "--listen") == 0) address = arguments[i + 1];
    if (std::strcmp(arguments[i], "--expect") == 0) expected = static_cast<std::size_t>(std::stoul(arguments[i + 1]));
  }
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return 2;
  const auto listener =
      net::listen_tcp(address.substr(0, colon), static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1))));
  if (!listener) return std::fprintf(stderr, "smtp_sink: %s\n", listener.error().detail.c_str()), 1;
  for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, [](int) { stopping = true; });

  smtp::ServerSettings settings;
  settings.host_name = "sink.test";
  settings.messages_max = UINT32_MAX;
  settings.recipients_max = 10'000;
  Tally tally;
  std::vector<std::jthread> sessions;
  while (!stopping && (expected == 0 || tally.unique() < expected)) {
    pollfd watched{*listener, POLLIN, 0};
    if (::poll(&watched, 1, 50) <= 0) continue;
    auto client = net::accept_tcp(*listener);
    if (!client) continue;
    tally.first_connection();
    sessions.emplace_back([socket = client->socket, &settings, &tally] { serve(socket, settings, tally); });
  }
  stopping = true;
  sessions.clear();
  tally.print();
  return expected == 0 || tally.unique() >= expected ? 0 : 1;
}
