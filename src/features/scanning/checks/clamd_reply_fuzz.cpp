// What clamd answers, in whatever pieces: a name that may stand in logs, or "missing".
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "base/dns_answer.h"
#include "features/scanning/checks/virus_scanner.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {

// A clamd that has said all it will say before it is asked.
class SaidBefore final : public scanning::Answers {
 public:
  explicit SaidBefore(std::string_view replies) : replies_(replies) {}
  ~SaidBefore() override { ::close(peer_); }
  std::vector<dns::Answer> resolve(std::span<const dns::Question> questions, const Deadline&) override {
    return std::vector<dns::Answer>(questions.size());
  }
  std::vector<std::string> wrap(std::span<const std::string> urls, const Deadline&) override {
    return std::vector<std::string>(urls.size());
  }
  Result<int> connect_clamd(const Deadline&) override {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) std::abort();
    static_cast<void>(::send(ends[0], replies_.data(), replies_.size(), MSG_NOSIGNAL));
    ::shutdown(ends[0], SHUT_WR);
    peer_ = ends[0];
    return ends[1];
  }

 private:
  std::string_view replies_;
  int peer_ = -1;
};

}  // namespace

std::vector<std::string> fuzz_seeds() {
  using namespace std::string_literals;
  return {"1: stream: OK\0002: stream: Eicar-Signature FOUND\0"s, "1: INSTREAM size limit exceeded. ERROR\0002: stream: OK\0"s,
          "1: stream: OK\0002: x y z FOUND\0"s};
}

std::vector<std::string> fuzz_words() { return {"stream: ", " FOUND", " ERROR", " OK", "size limit", " "}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  SaidBefore clamd({reinterpret_cast<const char*>(data), size});
  const Deadline deadline = Deadline::after(std::chrono::seconds(5));
  scanning::VirusScanner scanner(clamd, deadline);
  scanner.show("one");
  scanner.show("two");
  const auto verdict = scanner.finish();
  if (verdict.virus.size() > 128 || verdict.virus.find_first_of(" \r\n<>\"") != std::string::npos) std::abort();
  if (verdict.missing && !verdict.virus.empty()) std::abort();
  return 0;
}
