#include "base/text.h"
#include "formats/mime/header_reader.h"
#include "formats/mime/message.h"

namespace mailhold::mime {
namespace {

constexpr std::size_t none = static_cast<std::size_t>(-1);

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// A line of the bytes: where its text ends and where the next line begins.
struct Line {
  std::size_t begin = 0, text_end = 0, next = 0;
};

Line line_at(std::string_view bytes, std::size_t begin) {
  const std::size_t found = bytes.find('\n', begin);
  if (found == std::string_view::npos) return {begin, bytes.size(), bytes.size()};
  const std::size_t text_end = found > begin && bytes[found - 1] == '\r' ? found - 1 : found;
  return {begin, text_end, found + 1};
}

// One multipart or message that is being read, outermost first.
struct Open {
  std::size_t part;
  bool delimited;  // has a boundary to look for
  bool in_part;    // a part of it is open above it in the stack
  bool closed;     // its close delimiter was seen
  bool seen;       // any delimiter was seen
};

// How a line beginning with "--" relates to the open boundaries.
struct Match {
  std::size_t level = none;  // in the stack
  bool close = false;
  bool padded = false;
};

class Parser {
 public:
  Parser(std::string_view bytes, const ParseLimits& limits) : bytes_(bytes), limits_(limits) {}

  Message run() {
    std::size_t at = start_part(0, no_part, "text/plain");
    while (at < bytes_.size() && !stopped_) at = read_line(at);
    close_above(0, bytes_.size());
    for (; !stack_.empty(); stack_.pop_back()) end_level(bytes_.size());
    return std::move(message_);
  }

 private:
  // The line at `at` within a body; returns where to go on.
  std::size_t read_line(std::size_t at) {
    // Only a "-" at the start of a line can make a delimiter: run over all others.
    const char first = bytes_[at];
    if (first != '-') {
      if (static_cast<unsigned char>(first) <= ' ') look_for_disguise(at);
      const Line line = line_at(bytes_, at);
      if (any_delimited_) look_behind_bare_cr(line);
      if (outside_parts_) look_for_fields(line);
      return line.next;
    }
    const Line line = line_at(bytes_, at);
    if (any_delimited_) look_behind_bare_cr(line);
    if (line.text_end - at < 2 || bytes_[at + 1] != '-') return line.next;
    const Match match = find_delimiter(line);
    if (match.level == none) {
      look_for_almost(line);
      return line.next;
    }
    return take_delimiter(line, match);
  }

  Match find_delimiter(const Line& line) const {
    std::string_view text = bytes_.substr(line.begin + 2, line.text_end - line.begin - 2);
    Match match;
    while (!text.empty() && is_blank(text.back())) {
      text.remove_suffix(1);
      match.padded = true;
    }
    for (std::size_t level = stack_.size(); level-- > 0;) {
      if (!stack_[level].delimited) continue;
      const std::string& boundary = message_.parts[stack_[level].part].boundary;
      if (!text.starts_with(boundary)) continue;
      const std::string_view rest = text.substr(boundary.size());
      if (rest.empty() || rest == "--") {
        match.level = level;
        match.close = !rest.empty();
        return match;
      }
    }
    return {};
  }

  // A line that readers which compare prefixes, or forgive blanks, would take for a delimiter.
  void look_for_almost(const Line& line) {
    const std::string_view text = bytes_.substr(line.begin + 2, line.text_end - line.begin - 2);
    for (const Open& open : stack_) {
      if (open.delimited && text.starts_with(message_.parts[open.part].boundary)) {
        message_.oddities.add(OddityKind::almost_delimiter, open.part);
        return;
      }
    }
  }

  // A line that begins with blanks or control characters and then "--" and a boundary.
  void look_for_disguise(std::size_t at) {
    if (!any_delimited_) return;
    std::size_t begin = at;
    const std::size_t last = std::min(bytes_.size(), at + 64);
    while (begin < last && bytes_[begin] != '\n' && static_cast<unsigned char>(bytes_[begin]) <= ' ') ++begin;
    if (begin + 2 >= bytes_.size() || bytes_[begin] != '-' || bytes_[begin + 1] != '-') return;
    const Line line = line_at(bytes_, begin);
    look_for_almost(line);
  }

  // A CR alone ends a line for some readers: what follows could be a delimiter.
  void look_behind_bare_cr(const Line& line) {
    const std::string_view text = bytes_.substr(line.begin, line.text_end - line.begin);
    const std::size_t cr = text.find('\r');
    if (cr == std::string_view::npos) return;
    int looks = 1000;  // keeps a line of dashes linear
    for (std::size_t at = text.find("--", cr); at != std::string_view::npos && looks-- > 0; at = text.find("--", at + 1)) {
      look_for_almost({line.begin + at, line.text_end, line.next});
    }
  }

  // In a preamble or epilogue: a MIME field there is a part for some readers.
  void look_for_fields(const Line& line) {
    const std::string_view text = bytes_.substr(line.begin, line.text_end - line.begin);
    if (starts_with_ignoring_case(text, "content-t") && text.find(':') != std::string_view::npos) {
      message_.oddities.add(OddityKind::fields_outside_parts, current());
    }
  }

  std::size_t take_delimiter(const Line& line, const Match& match) {
    Open& open = stack_[match.level];
    const std::size_t owner = open.part;
    if (match.padded) message_.oddities.add(OddityKind::padded_delimiter, owner);
    if (open.closed) message_.oddities.add(OddityKind::delimiter_after_close, owner);
    // The line end before a delimiter belongs to it.
    std::size_t end = line.begin;
    if (end > 0 && bytes_[end - 1] == '\n') --end;
    if (end > 0 && end < line.begin && bytes_[end - 1] == '\r') --end;
    close_above(match.level + 1, end);
    open.seen = true;
    outside_parts_ = match.close;
    if (match.close) {
      open.closed = true;
      open.in_part = false;
      return line.next;
    }
    open.in_part = true;
    const bool digest = message_.parts[owner].type == "multipart/digest";
    return start_part(line.next, static_cast<std::int32_t>(owner), digest ? "message/rfc822" : "text/plain");
  }

  std::size_t current() const { return stack_.empty() ? 0 : stack_.back().part; }

  // Ends everything from that level of the stack up.
  void close_above(std::size_t level, std::size_t end) {
    while (stack_.size() > level) {
      end_level(end);
      stack_.pop_back();
    }
  }

  void end_level(std::size_t end) {
    const Open& open = stack_.back();
    Part& part = message_.parts[open.part];
    part.body = Span::between(part.body.offset, end);
    if (!open.delimited) return;
    if (!open.seen)
      message_.oddities.add(OddityKind::boundary_never_seen, open.part);
    else if (!open.closed)
      message_.oddities.add(OddityKind::no_close_delimiter, open.part);
  }

  // Reads a header at `at`, adds the part, and opens what it contains. Returns where its body begins.
  std::size_t start_part(std::size_t at, std::int32_t parent, std::string_view default_type) {
    const std::uint32_t depth = parent == no_part ? 0 : message_.parts[static_cast<std::size_t>(parent)].depth + 1;
    if (message_.parts.size() >= limits_.parts_max) return stop(OddityKind::too_many_parts);
    if (depth > limits_.depth_max) return stop(OddityKind::too_deep);
    const std::size_t index = add_part(parent, depth);
    std::size_t body = read_header(at, index);
    if (stopped_) {
      message_.parts[index].body = {at, 0};
      return bytes_.size();
    }
    Part& part = message_.parts[index];
    part.body = {body, 0};
    interpret_fields(bytes_, message_, index, default_type);
    outside_parts_ = false;
    Open open{index, false, false, false, false};
    if (part.is_multipart() && !part.boundary.empty()) {
      for (const Open& outer : stack_) {
        if (outer.delimited && message_.parts[outer.part].boundary == part.boundary)
          message_.oddities.add(OddityKind::same_boundary_inside, index);
      }
      open.delimited = true;
      any_delimited_ = true;
      outside_parts_ = true;
    }
    stack_.push_back(open);
    if (part.is_message() && part.encoding == Encoding::identity) {
      return start_part(body, static_cast<std::int32_t>(index), "text/plain");
    }
    return body;
  }

  std::size_t stop(OddityKind kind) {
    message_.oddities.add(kind, current());
    stopped_ = true;
    return bytes_.size();
  }

  std::size_t add_part(std::int32_t parent, std::uint32_t depth) {
    const std::size_t index = message_.parts.size();
    Part& part = message_.parts.emplace_back();
    part.parent = parent;
    part.depth = depth;
    part.first_field = static_cast<std::uint32_t>(message_.fields.size());
    if (parent != no_part) {
      Part& above = message_.parts[static_cast<std::size_t>(parent)];
      const auto self = static_cast<std::int32_t>(index);
      if (above.last_child == no_part)
        above.first_child = self;
      else
        message_.parts[static_cast<std::size_t>(above.last_child)].next_sibling = self;
      above.last_child = self;
    }
    return index;
  }

  std::size_t read_header(std::size_t at, std::size_t index) {
    const std::size_t begin = at;
    HeaderReader reader(bytes_, message_, index);
    while (at < bytes_.size()) {
      const Line line = line_at(bytes_, at);
      if (line.text_end == line.begin) {
        finish_header(reader, index, begin, at);
        return line.next;
      }
      if (bytes_[at] == '-' && line.text_end - at > 2 && bytes_[at + 1] == '-' && find_delimiter(line).level != none) {
        message_.oddities.add(OddityKind::delimiter_in_header, index);
        finish_header(reader, index, begin, at);
        return at;
      }
      if (message_.fields.size() >= limits_.fields_max) return stop(OddityKind::too_many_fields);
      reader.take_line(line.begin, line.text_end, line.next);
      at = line.next;
    }
    if (index != 0) message_.oddities.add(OddityKind::header_without_end, index);
    finish_header(reader, index, begin, at);
    return at;
  }

  void finish_header(HeaderReader& reader, std::size_t index, std::size_t begin, std::size_t end) {
    reader.finish();
    Part& part = message_.parts[index];
    part.header = Span::between(begin, end);
    part.field_count = static_cast<std::uint32_t>(message_.fields.size()) - part.first_field;
  }

  std::string_view bytes_;
  ParseLimits limits_;
  Message message_;
  std::vector<Open> stack_;
  bool outside_parts_ = false;  // in a preamble or an epilogue
  bool any_delimited_ = false;
  bool stopped_ = false;
};

}  // namespace

Message parse(std::string_view bytes, const ParseLimits& limits) { return Parser(bytes, limits).run(); }

const Field* Message::find(std::string_view bytes, const Part& part, std::string_view name) const {
  for (std::uint32_t i = 0; i < part.field_count; ++i) {
    const Field& field = fields[part.first_field + i];
    if (equals_ignoring_case(field.name.of(bytes), name)) return &field;
  }
  return nullptr;
}

std::vector<const Field*> Message::find_all(std::string_view bytes, const Part& part, std::string_view name) const {
  std::vector<const Field*> found;
  for (std::uint32_t i = 0; i < part.field_count; ++i) {
    const Field& field = fields[part.first_field + i];
    if (equals_ignoring_case(field.name.of(bytes), name)) found.push_back(&field);
  }
  return found;
}

std::string unfold(std::string_view value) {
  std::string out;
  value = trim(value);
  out.reserve(value.size());
  for (const char c : value) {
    if (c != '\r' && c != '\n') out.push_back(c == '\t' ? ' ' : c);
  }
  return out;
}

}  // namespace mailhold::mime
