#include "features/scanning/checks/virus_scanner.h"

#include "base/bytes.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t stream_bytes_max = 25u << 20;  // clamd's StreamMaxLength as shipped
constexpr std::size_t chunk_bytes = 128u << 10;
constexpr std::size_t reply_bytes_max = 64u << 10;
constexpr std::uint32_t shown_max = 500;

// "1: stream: Eicar-Signature FOUND" -> "Eicar-Signature"; empty when nothing was found.
std::string virus_in(std::string_view reply) {
  constexpr std::string_view found = " FOUND";
  if (!reply.ends_with(found)) return {};
  reply.remove_suffix(found.size());
  const std::size_t space = reply.rfind(' ');
  std::string name;
  for (const char c : reply.substr(space == std::string_view::npos ? 0 : space + 1)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                       c == '_' || c == '/';
    if (plain && name.size() < 128) name.push_back(c);
  }
  return name.empty() ? "unnamed" : name;
}

}  // namespace

VirusScanner::~VirusScanner() = default;

bool VirusScanner::connect() {
  if (stream_ != nullptr) return true;
  const Result<int> socket = answers_.connect_clamd(deadline_);
  if (!socket) return false;
  stream_ = net::stream_over(*socket);
  return bool(stream_->write_all(std::string_view("zIDSESSION\0", 11), deadline_));
}

void VirusScanner::show(std::string_view bytes) {
  if (failed_ || bytes.empty() || shown_ >= shown_max) return;
  if (bytes.size() > stream_bytes_max) {
    too_big_ = true;
    return;
  }
  if (!connect()) return fail();
  if (!stream_->write_all(std::string_view("zINSTREAM\0", 10), deadline_)) return fail();
  while (!bytes.empty()) {
    const std::string_view chunk = bytes.substr(0, chunk_bytes);
    bytes.remove_prefix(chunk.size());
    ByteWriter size;
    size.u32(static_cast<std::uint32_t>(chunk.size()));
    if (!stream_->write_all(size.view(), deadline_) || !stream_->write_all(chunk, deadline_)) return fail();
  }
  if (!stream_->write_all(std::string_view("\0\0\0\0", 4), deadline_)) return fail();
  ++shown_;
}

VirusScanner::Verdict VirusScanner::finish() {
  Verdict verdict;
  if (!failed_ && shown_ > 0 && !read_verdicts(verdict)) failed_ = true;
  verdict.missing = failed_ && verdict.virus.empty();
  verdict.too_big = too_big_;
  return verdict;
}

Status VirusScanner::read_verdicts(Verdict& verdict) {
  RETURN_IF_ERROR(stream_->write_all(std::string_view("zEND\0", 5), deadline_));
  std::string replies;
  for (std::uint32_t seen = 0; seen < shown_;) {
    ASSIGN_OR_RETURN(const std::string more, stream_->read_some(deadline_));
    if (more.empty()) return Error{ErrorKind::unavailable, "clamd closed before it answered"};
    replies += more;
    for (std::size_t end = replies.find('\0'); end != std::string::npos; end = replies.find('\0')) {
      const std::string reply = replies.substr(0, end);
      replies.erase(0, end + 1);
      ++seen;
      if (const std::string virus = virus_in(reply); !virus.empty() && verdict.virus.empty()) verdict.virus = virus;
      if (reply.ends_with(" ERROR")) {
        if (reply.find("size limit") == std::string::npos) return Error{ErrorKind::unavailable, "clamd answered with an error"};
        too_big_ = true;
      }
    }
    if (replies.size() > reply_bytes_max) return Error{ErrorKind::unavailable, "clamd does not speak its protocol"};
  }
  return done();
}

}  // namespace mailhold::scanning
