#include "formats/mbox/mbox.h"

#include <algorithm>
#include <ctime>

#include "base/text.h"

namespace mailhold::mbox {
namespace {

constexpr std::string_view from = "From ";
constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// "From ", ">From ", ">>From ": what mboxrd quotes by one more ">".
bool is_quotable(std::string_view line) {
  const std::size_t begin = line.find_first_not_of('>');
  return begin != std::string_view::npos && line.substr(begin).starts_with(from);
}

bool is_all_crlf(std::string_view message) {
  for (std::size_t at = message.find_first_of("\r\n"); at != std::string_view::npos; at = message.find_first_of("\r\n", at)) {
    if (message.substr(at, 2) != "\r\n") return false;
    at += 2;
  }
  return true;
}

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// The time at the end of "From who Sat Nov 21 18:00:00 2026", UTC (RFC 4155 appendix A); 0 if it does not read.
Milliseconds time_of(std::string_view from_line) {
  std::vector<std::string_view> words;
  for (const std::string_view word : split(from_line, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  for (std::size_t i = 2; i + 3 < words.size(); ++i) {
    const auto month = std::find(std::begin(months), std::end(months), words[i]);
    const auto clock = split(words[i + 2], ':');
    if (month == std::end(months) || clock.size() != 3) continue;
    const auto day = to_number(words[i + 1]), hour = to_number(clock[0]), minute = to_number(clock[1]),
               second = to_number(clock[2]), year = to_number(words[i + 3]);
    if (!day || !hour || !minute || !second || !year) continue;
    if (*day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60 || *year < 1970 || *year > 9999) continue;
    std::tm parts{};
    parts.tm_year = static_cast<int>(*year) - 1900;
    parts.tm_mon = static_cast<int>(month - std::begin(months));
    parts.tm_mday = static_cast<int>(*day);
    parts.tm_hour = static_cast<int>(*hour);
    parts.tm_min = static_cast<int>(*minute);
    parts.tm_sec = static_cast<int>(*second);
    return static_cast<Milliseconds>(::timegm(&parts)) * 1000;
  }
  return 0;
}

void add_flag(std::vector<std::string>& flags, const char* flag) {
  const auto place = std::lower_bound(flags.begin(), flags.end(), flag);
  if (place == flags.end() || *place != flag) flags.insert(place, flag);
}

// Status: R was read, O is not recent; X-Status: A answered, F flagged, D deleted, T draft.
void take_status(std::vector<std::string>& flags, std::string_view letters) {
  for (const char letter : letters) {
    if (letter == 'R') add_flag(flags, "\\Seen");
    if (letter == 'A') add_flag(flags, "\\Answered");
    if (letter == 'F') add_flag(flags, "\\Flagged");
    if (letter == 'T') add_flag(flags, "\\Draft");
    if (letter == 'D') add_flag(flags, "\\Deleted");
  }
}

std::vector<std::string> flags_of_header(std::string_view message) {
  std::vector<std::string> flags;
  while (!message.empty()) {
    const std::string_view whole = message.substr(0, message.find('\n'));
    const std::string_view line = without_line_end(whole);
    if (line.empty()) break;
    for (const std::string_view field : {"Status:", "X-Status:"}) {
      if (starts_with_ignoring_case(line, field)) take_status(flags, line.substr(field.size()));
    }
    message.remove_prefix(std::min(whole.size() + 1, message.size()));
  }
  return flags;
}

}  // namespace

std::string mbox_entry(std::string_view message, Milliseconds received_at) {
  const std::time_t seconds = static_cast<std::time_t>(received_at / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char when[32];
  std::strftime(when, sizeof when, "%a %b %e %H:%M:%S %Y", &parts);  // the locale of our programs is "C"
  std::string entry = "From MAILHOLD@localhost " + std::string(when) + "\n";
  const bool to_lf = is_all_crlf(message);
  while (!message.empty()) {
    const std::size_t end = message.find('\n');
    const std::string_view line = message.substr(0, end == std::string_view::npos ? end : end + 1);
    if (is_quotable(line)) entry += '>';
    if (to_lf && line.ends_with("\r\n"))
      entry.append(line.substr(0, line.size() - 2)).append("\n");
    else
      entry += line;
    message.remove_prefix(line.size());
  }
  if (!entry.ends_with('\n')) entry += '\n';
  return entry + "\n";
}

Status MboxReader::receive(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
    bytes.remove_prefix(piece.size());
    if (line_.size() + piece.size() > message_bytes_max_)
      return Error{ErrorKind::limit_exceeded, "a message of the mbox file is larger than the limit"};
    if (!piece.ends_with('\n')) {
      line_ += piece;
    } else if (line_.empty()) {
      RETURN_IF_ERROR(take_line(piece));
    } else {
      line_ += piece;
      const std::string line = std::exchange(line_, {});
      RETURN_IF_ERROR(take_line(line));
    }
  }
  return done();
}

Status MboxReader::take_line(std::string_view line) {
  const std::string_view bare = without_line_end(line);
  if (after_empty_line_ && bare.starts_with(from)) {
    end_message();
    has_message_ = true;
    received_at_ = time_of(bare);
    after_empty_line_ = false;
    return done();
  }
  if (!has_message_) {
    const std::string what = "not an mbox file: it does not begin with \"From \"";
    return bare.empty() ? done() : Status(Error{ErrorKind::invalid_input, what, what});
  }
  after_empty_line_ = bare.empty();
  if (content_.size() + line.size() > message_bytes_max_)
    return Error{ErrorKind::limit_exceeded, "a message of the mbox file is larger than the limit"};
  content_ += line.starts_with('>') && is_quotable(line) ? line.substr(1) : line;
  return done();
}

// The empty line in front of the next From line belongs to the file and not to the message.
void MboxReader::end_message() {
  if (!has_message_) return;
  if (after_empty_line_) content_.resize(content_.size() - (content_.ends_with("\r\n") ? 2 : content_.ends_with('\n') ? 1 : 0));
  MboxMessage message{std::exchange(content_, {}), received_at_, {}};
  message.flags = flags_of_header(message.content);
  ready_.push_back(std::move(message));
  has_message_ = false;
}

Status MboxReader::end() {
  if (!line_.empty()) {
    const std::string line = std::exchange(line_, {});
    RETURN_IF_ERROR(take_line(line));
  }
  end_message();
  return done();
}

std::optional<MboxMessage> MboxReader::next() {
  if (taken_ == ready_.size()) {
    ready_.clear();
    taken_ = 0;
    return std::nullopt;
  }
  return std::move(ready_[taken_++]);
}

std::vector<std::string> maildir_flags(std::string_view file_name) {
  std::vector<std::string> flags;
  const std::size_t begin = file_name.rfind(":2,");
  if (begin == std::string_view::npos) return flags;
  for (const char letter : file_name.substr(begin + 3)) {
    if (letter == 'S') add_flag(flags, "\\Seen");
    if (letter == 'R') add_flag(flags, "\\Answered");
    if (letter == 'F') add_flag(flags, "\\Flagged");
    if (letter == 'D') add_flag(flags, "\\Draft");
    if (letter == 'T') add_flag(flags, "\\Deleted");
    if (letter == 'P') add_flag(flags, "$Forwarded");
  }
  return flags;
}

std::string with_crlf(std::string message) {
  if (message.find("\r\n") != std::string::npos) return message;
  std::string out;
  out.reserve(message.size() + message.size() / 32);
  for (const char letter : message) {
    if (letter == '\n') out += '\r';
    out += letter;
  }
  return out;
}

}  // namespace mailhold::mbox
