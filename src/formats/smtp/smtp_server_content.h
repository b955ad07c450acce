// ContentReader: the bytes between 354 and the end of data (RFC 5321 section 4.1.1.4). Only
// CRLF "." CRLF ends the content, wherever the network cut it. Dot-stuffing is undone exactly
// (section 4.5.2). Bare CR, bare LF and NUL are noted, and by setting made harmless or refused,
// so that no later server can see two messages where this one saw one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mailhold::smtp {

enum class BareNewlines : std::uint8_t {
  reject,     // the message is refused with 550 5.6.11
  normalise,  // a bare LF becomes CRLF, a bare CR a space: signatures over the content may break
};

class ContentReader {
 public:
  // `bytes_expected` only reserves memory.
  void start(BareNewlines bare_newlines, std::uint64_t bytes_max, std::uint64_t bytes_expected);

  // Takes content from the front of `input`; true when the end of data was read, and what follows it stays in `input`.
  bool read(std::string_view& input);

  // Once a fault is seen the content is dropped, but reading goes on to the end of data.
  enum class Fault : std::uint8_t { none, bare_newline, nul, too_big };
  Fault fault() const { return fault_; }
  std::uint64_t bytes_seen() const { return bytes_seen_; }  // what the client sent, dropped or not

  std::string take() { return std::move(content_); }
  const std::string& content() const { return content_; }

 private:
  enum class At : std::uint8_t { line_start, dot, dot_cr, line, line_cr };
  void keep(std::string_view bytes);
  void keep_line(std::string_view bytes);
  void fail(Fault fault);
  void bare_lf();
  void bare_cr();

  std::string content_;
  std::uint64_t bytes_max_ = 0;
  std::uint64_t bytes_seen_ = 0;
  At at_ = At::line_start;
  BareNewlines bare_newlines_ = BareNewlines::reject;
  Fault fault_ = Fault::none;
};

}  // namespace mailhold::smtp
