#include "formats/contentlines/content_lines.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace mailhold::contentlines {
namespace {

Error unreadable(const char* what) { return {ErrorKind::invalid_input, std::string("no content line: ") + what}; }

std::string to_upper(std::string_view text) {
  std::string out(text);
  for (char& letter : out) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  return out;
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           letter == '-' || letter == '_' || letter == '/';
  });
}

// The next line, unfolded: a line break with a blank behind it is none (RFC 5545 section 3.1).
class UnfoldedLines {
 public:
  explicit UnfoldedLines(std::string_view text) : rest_(text) {}

  std::optional<std::string> next() {
    if (rest_.empty()) return std::nullopt;
    std::string line(take_line());
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {
      rest_.remove_prefix(1);
      line += take_line();
    }
    return line;
  }

 private:
  std::string_view take_line() {
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
  std::string_view rest_;
};

std::string without_carets(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char next = text[at] == '^' && at + 1 < text.size() ? text[at + 1] : '\0';
    if (next != 'n' && next != '^' && next != '\'') {
      out += text[at];
      continue;
    }
    out += next == 'n' ? '\n' : next == '^' ? '^' : '"';
    ++at;
  }
  return out;
}

// One line after the other cut into its parts.
class LineReader {
 public:
  LineReader(std::string_view line, const Limits& limits) : line_(line), limits_(limits) {}

  Result<Property> read() {
    Property property;
    std::string_view name = take_until(";:");
    if (const std::size_t dot = name.find('.'); dot != std::string_view::npos) {
      property.group = to_upper(name.substr(0, dot));
      name.remove_prefix(dot + 1);
      if (!is_name(property.group)) return unreadable("a group that is none");
    }
    if (!is_name(name)) return unreadable("a name that is none");
    property.name = to_upper(name);
    while (at_ < line_.size() && line_[at_] == ';') {
      ++at_;
      if (property.parameters.size() == limits_.parameters_max)
        return Error{ErrorKind::limit_exceeded, "a line with too many parameters"};
      ASSIGN_OR_RETURN(Parameter parameter, read_parameter());
      property.parameters.push_back(std::move(parameter));
    }
    if (at_ >= line_.size()) return unreadable("there is no colon");
    property.value = line_.substr(at_ + 1);
    return property;
  }

 private:
  std::string_view take_until(std::string_view stops) {
    const std::size_t begin = at_;
    at_ = std::min(line_.find_first_of(stops, at_), line_.size());
    return line_.substr(begin, at_ - begin);
  }

  Result<Parameter> read_parameter() {
    Parameter parameter;
    parameter.name = to_upper(take_until("=;:"));
    if (!is_name(parameter.name)) return unreadable("a parameter that is none");
    while (at_ < line_.size() && (line_[at_] == '=' || line_[at_] == ',')) {
      ++at_;
      if (parameter.values.size() == limits_.parameters_max)
        return Error{ErrorKind::limit_exceeded, "a parameter with too many values"};
      if (at_ < line_.size() && line_[at_] == '"') {
        const std::size_t end = line_.find('"', at_ + 1);
        if (end == std::string_view::npos) return unreadable("a quote without end");
        parameter.values.push_back(without_carets(line_.substr(at_ + 1, end - at_ - 1)));
        at_ = end + 1;
        if (at_ < line_.size() && std::string_view(",;:").find(line_[at_]) == std::string_view::npos)
          return unreadable("text behind a quote");
      } else {
        parameter.values.push_back(without_carets(take_until(",;:")));
      }
    }
    return parameter;
  }

  const std::string_view line_;
  const Limits& limits_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<Component>> read_components(std::string_view text, const Limits& limits) {
  if (text.size() > limits.bytes_max) return Error{ErrorKind::limit_exceeded, "too long to be compared"};
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<Component> open{Component{}};  // the first holds those at the top
  UnfoldedLines lines(text);
  std::size_t count = 0;
  while (const auto line = lines.next()) {
    if (trim(*line).empty()) continue;
    if (++count > limits.lines_max) return Error{ErrorKind::limit_exceeded, "too many lines"};
    ASSIGN_OR_RETURN(Property property, LineReader(*line, limits).read());
    const std::string value = to_upper(trim(property.value));
    if (property.name == "BEGIN") {
      if (open.size() > limits.depth_max) return Error{ErrorKind::limit_exceeded, "components too deep"};
      open.push_back({value, {}, {}});
    } else if (property.name == "END") {
      if (open.size() < 2 || open.back().name != value) return unreadable("an END without its BEGIN");
      Component ended = std::move(open.back());
      open.pop_back();
      open.back().components.push_back(std::move(ended));
    } else if (open.size() < 2) {
      return unreadable("a property outside of all components");
    } else {
      open.back().properties.push_back(std::move(property));
    }
  }
  if (open.size() != 1) return unreadable("a BEGIN without its END");
  return std::move(open.front().components);
}

}  // namespace mailhold::contentlines
