#include "formats/smtp/smtp_server_content.h"

#include <algorithm>
#include <cstring>

namespace mailhold::smtp {
namespace {

constexpr std::uint64_t reserve_bytes_max = 1u << 20;  // a client's SIZE= is only a hint
constexpr std::uint64_t reserve_bytes_min = 4096;

// The first LF or CR of the text, its size if there is none.
std::size_t find_newline(std::string_view text) {
  const void* lf = std::memchr(text.data(), '\n', text.size());
  const std::size_t end = lf == nullptr ? text.size() : static_cast<std::size_t>(static_cast<const char*>(lf) - text.data());
  const void* cr = std::memchr(text.data(), '\r', end);
  return cr == nullptr ? end : static_cast<std::size_t>(static_cast<const char*>(cr) - text.data());
}

}  // namespace

void ContentReader::start(BareNewlines bare_newlines, std::uint64_t bytes_max, std::uint64_t bytes_expected) {
  content_.clear();
  content_.reserve(static_cast<std::size_t>(std::clamp(bytes_expected, reserve_bytes_min, reserve_bytes_max)));
  bytes_max_ = bytes_max;
  bytes_seen_ = 0;
  at_ = At::line_start;
  bare_newlines_ = bare_newlines;
  fault_ = Fault::none;
}

void ContentReader::fail(Fault fault) {
  if (fault_ == Fault::none) fault_ = fault;
  std::string().swap(content_);
}

void ContentReader::keep(std::string_view bytes) {
  if (fault_ != Fault::none) return;
  if (content_.size() + bytes.size() > bytes_max_) return fail(Fault::too_big);
  content_ += bytes;
}

void ContentReader::keep_line(std::string_view bytes) {
  if (fault_ == Fault::none && std::memchr(bytes.data(), '\0', bytes.size()) != nullptr) return fail(Fault::nul);
  keep(bytes);
}

void ContentReader::bare_lf() {
  if (bare_newlines_ == BareNewlines::reject) return fail(Fault::bare_newline);
  keep("\r\n");
}

void ContentReader::bare_cr() {
  if (bare_newlines_ == BareNewlines::reject) return fail(Fault::bare_newline);
  keep(" ");
}

// The state is "what stands before the next byte". A dot after a bare LF is text and not a stuffed dot:
// only CRLF begins a line here, and the client that sent the bare LF did not stuff there either.
bool ContentReader::read(std::string_view& input) {
  const std::size_t before = input.size();
  while (!input.empty()) {
    const char next = input.front();
    switch (at_) {
      case At::line_start:
        if (next == '.') {
          at_ = At::dot;
          input.remove_prefix(1);
          break;
        }
        at_ = At::line;
        break;
      case At::dot:  // the dot is dropped unless nothing else stands on the line
        if (next == '\r') {
          at_ = At::dot_cr;
          input.remove_prefix(1);
          break;
        }
        at_ = At::line;
        break;
      case At::dot_cr:
        if (next == '\n') {
          input.remove_prefix(1);
          bytes_seen_ += before - input.size();
          return true;
        }
        at_ = At::line_cr;  // the CR after the dot was an ordinary one
        break;
      case At::line_cr:
        if (next == '\n') {
          keep("\r\n");
          at_ = At::line_start;
          input.remove_prefix(1);
        } else {
          bare_cr();
          at_ = At::line;
        }
        break;
      case At::line: {
        const std::size_t length = find_newline(input);
        keep_line(input.substr(0, length));
        input.remove_prefix(length);
        if (input.empty()) break;
        if (input.front() == '\n')
          bare_lf();
        else
          at_ = At::line_cr;
        input.remove_prefix(1);
        break;
      }
    }
  }
  bytes_seen_ += before;
  return false;
}

}  // namespace mailhold::smtp
