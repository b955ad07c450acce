#include "formats/mail/addresses.h"

#include "base/text.h"
#include "formats/mime/message.h"
#include "formats/mime/text.h"

namespace mailhold::mail {
namespace {

constexpr std::size_t address_bytes_max = 320;

class Reader {
 public:
  Reader(std::string_view text, std::size_t addresses_max) : text_(text), addresses_max_(addresses_max) {}

  std::vector<std::string> run() {
    while (at_ < text_.size() && found_.size() < addresses_max_) take();
    finish();
    return std::move(found_);
  }

 private:
  void take() {
    const char c = text_[at_];
    switch (c) {
      case '(': skip_comment(); return;
      case '"': copy_quoted(); return;
      case '<':
        bracketed_ = true;
        word_.clear();  // what stood before was the name
        break;
      case '>': done_ = true; break;
      case ',':
      case ';': finish(); break;
      case ':':
        if (bracketed_ && !done_)
          word_.clear();  // a route of RFC 822: "<@a,@b:c@d>"
        else if (!bracketed_)
          word_.clear();  // the name of a group
        break;
      default:
        if (!done_ && c != ' ' && c != '\t')
          word_.push_back(c);
        else if (!done_ && !bracketed_ && word_.find('@') != std::string::npos)
          word_.push_back(' ');
    }
    ++at_;
  }

  void skip_comment() {
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\')
        ++at_;
      else if (text_[at_] == '(')
        ++depth;
      else if (text_[at_] == ')' && --depth == 0)
        break;
    }
    ++at_;
  }

  void copy_quoted() {
    const std::size_t begin = at_++;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_ + 1, text_.size());
    if (!done_) word_.append(text_.substr(begin, at_ - begin));
  }

  void finish() {
    const std::string_view address = trim(word_);
    if (!address.empty() && (bracketed_ || address.find('@') != std::string_view::npos)) {
      found_.push_back(mime::decode_header_text(address, address_bytes_max));
    }
    word_.clear();
    bracketed_ = done_ = false;
  }

  std::string_view text_;
  std::size_t addresses_max_;
  std::size_t at_ = 0;
  std::string word_;
  bool bracketed_ = false, done_ = false;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> addresses_of(std::string_view field_value, std::size_t addresses_max) {
  const std::string text = mime::unfold(field_value.substr(0, 64u << 10));
  return Reader(text, addresses_max).run();
}

}  // namespace mailhold::mail
