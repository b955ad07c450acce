#include "features/recover/content_keeper.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

constexpr std::size_t base64_lines_min = 8;  // shorter runs are words, or not worth a part
constexpr std::size_t base64_line_min = 40;
constexpr std::size_t looked_at_max = 4;  // letters of a line in a run: what ends a run shows at its beginning, as boundaries do
// Text below that stays with its header. As a part of its own it costs a seal, a wrap and a name, about 430 bytes, and compresses
// worse; what two messages with different headers would save by sharing it is little more.
constexpr std::size_t shared_text_bytes_min = 8U << 10;

constexpr std::array<bool, 256> make_base64_letters() {
  std::array<bool, 256> letters{};
  for (const char letter : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
    letters[static_cast<unsigned char>(letter)] = true;
  return letters;
}

bool has_base64_letters_alone(std::string_view line) {
  static constexpr auto letters = make_base64_letters();
  bool all = true;
  for (const char letter : line) all &= letters[static_cast<unsigned char>(letter)];
  return all;
}

bool is_base64_line(std::string_view line) {
  return line.size() >= base64_line_min && line.size() % 4 == 0 && has_base64_letters_alone(line);
}

// The lines of a message with their ends.
class Lines {
 public:
  explicit Lines(std::string_view message) : rest_(message) {}
  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end == std::string_view::npos ? end : end + 1);
    rest_.remove_prefix(line.size());
    return line;
  }

 private:
  std::string_view rest_;
};

std::size_t header_size(std::string_view message) {
  std::size_t at = 0;
  Lines lines(message);
  while (const auto line = lines.next()) {
    at += line->size();
    if (trim(*line).empty()) return at;
  }
  return message.size();
}

}  // namespace

std::vector<store::BodySpan> bodies_by_lines(std::string_view message) {
  std::vector<store::BodySpan> spans;
  std::size_t at = header_size(message);
  std::size_t text_begin = at, run_begin = at, run_lines = 0, run_width = 0;
  const auto end_text = [&](std::size_t end) {
    if (end >= text_begin + shared_text_bytes_min) spans.push_back({text_begin, end - text_begin, store::BodyEncoding::as_is});
  };
  const auto end_run = [&](std::size_t end) {
    if (run_lines >= base64_lines_min) {
      end_text(run_begin);
      spans.push_back({run_begin, end - run_begin, store::BodyEncoding::base64});
      text_begin = end;
    }
    run_lines = 0;
  };
  Lines lines(message.substr(at));
  while (const auto line = lines.next()) {
    std::string_view bare = *line;
    while (!bare.empty() && (bare.back() == '\n' || bare.back() == '\r')) bare.remove_suffix(1);
    // The last line of a run may be short; a line of another width begins anew.
    const bool goes_on = run_lines > 0 && bare.size() == run_width && has_base64_letters_alone(bare.substr(0, looked_at_max));
    const bool is_last = run_lines > 0 && !goes_on && !bare.empty() && bare.size() < run_width && bare.size() % 4 == 0 &&
                         has_base64_letters_alone(bare);
    if (goes_on) {
      ++run_lines;
    } else if (is_last) {
      ++run_lines;
      end_run(at + line->size());
    } else {
      end_run(at);
      if (is_base64_line(bare)) {
        run_begin = at;
        run_lines = 1;
        run_width = bare.size();
      }
    }
    at += line->size();
  }
  end_run(at);
  end_text(at);
  return spans;
}

Result<std::shared_ptr<const ContentIds>> ContentKeeper::content_ids(const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  if (ids_ == nullptr) {
    ASSIGN_OR_RETURN(ids_, ContentIds::of(tenant_, keys_, deadline));
  }
  return ids_;
}

bool ContentKeeper::is_wrapped(Id message) {
  const std::lock_guard lock(mutex_);
  return wrapped_.contains(message);
}

void ContentKeeper::note_wrapped(Id message) {
  const std::lock_guard lock(mutex_);
  wrapped_.insert(message);
}

Result<std::vector<ContentKeeper::KeptContent>> ContentKeeper::keep(
    const std::vector<mailboxes::MailboxSource::Content>& contents, const Deadline& deadline, bool in_haste) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const ContentIds> ids, content_ids(deadline));
  std::vector<KeptContent> kept;
  std::vector<store::NewMessage> messages;
  for (const auto& content : contents) {
    const std::string sha256 = crypto::sha256(content.bytes);
    const Id message = ids->id_of(sha256);
    claims_.add(message);
    if (!is_wrapped(message)) {
      messages.push_back({tenant_, message, now_, content.bytes, bodies_by_lines(content.bytes), sha256, in_haste});
    }
    kept.push_back({message, content.bytes.size()});
  }
  ASSIGN_OR_RETURN(const std::set<Id> not_kept, keep_new(messages, deadline));
  for (KeptContent& one : kept) one.is_kept = !not_kept.contains(one.message);
  return kept;
}

Result<std::set<Id>> ContentKeeper::keep_new(const std::vector<store::NewMessage>& messages, const Deadline& deadline) {
  if (messages.empty()) return std::set<Id>{};
  ASSIGN_OR_RETURN(const std::vector<store::Kept> kept, store_.keep(messages, deadline));
  std::vector<store::NewMessage> damaged;
  std::unique_lock repairing(book_.claims().repairing(), std::defer_lock);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (kept[i].bytes_written == 0 && !is_wrapped(messages[i].message)) {
      if (!repairing.owns_lock()) repairing.lock();
      ASSIGN_OR_RETURN(const bool is_whole, wrap_again(messages[i], deadline));
      if (!is_whole) {
        damaged.push_back(messages[i]);
        continue;
      }
    }
    note_wrapped(messages[i].message);
  }
  return keep_instead_of_damaged(damaged, deadline);
}

// One that is kept already, under today too. False if it is damaged.
Result<bool> ContentKeeper::wrap_again(const store::NewMessage& message, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const bool damaged, is_damaged(message.message, deadline));
  if (damaged) return false;
  const Status wrapped = store_.rewrap(tenant_, message.message, day(), deadline);
  if (wrapped) return true;
  if (wrapped.error().kind == ErrorKind::corrupt) return false;
  if (wrapped.error().kind != ErrorKind::not_found) return wrapped.error();
  // It is known, but every day it lived by was forgotten: it is kept anew.
  RETURN_IF_ERROR(store_.forget(tenant_, message.message, deadline));
  RETURN_IF_ERROR(store_.keep({message}, deadline));
  return true;
}

// Wrapping it again opens its own object, and none of its parts: of those that were noted as lost, it is looked at all.
Result<bool> ContentKeeper::is_damaged(Id message, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const bool is_lost, book_.is_lost(message, deadline));
  if (!is_lost) return false;
  bool is = false;
  const auto found = [&](const store::Inspected& one) {
    is = one.soundness == store::Soundness::damaged;
    return done();
  };
  ASSIGN_OR_RETURN(const std::shared_ptr<const ContentIds> ids, content_ids(deadline));
  RETURN_IF_ERROR(store_.inspect(tenant_, {message}, ids->is_of(), found, deadline));
  return is;
}

// What is kept of them does not open, and here they are whole: the old ones go, where nothing else goes with them for good.
Result<std::set<Id>> ContentKeeper::keep_instead_of_damaged(const std::vector<store::NewMessage>& damaged,
                                                            const Deadline& deadline) {
  if (damaged.empty()) return std::set<Id>{};
  std::vector<Id> messages;
  for (const store::NewMessage& each : damaged) messages.push_back(each.message);
  ASSIGN_OR_RETURN(const std::shared_ptr<const ContentIds> ids, content_ids(deadline));
  const store::MessageStore::Salvage salvage{[](const std::vector<Id>&) -> Result<bool> { return false; }, ids->is_of()};
  ASSIGN_OR_RETURN(const auto salvaged, store_.release_from_damage(tenant_, messages, salvage, deadline));
  std::set<Id> not_kept;
  for (const auto& stay : salvaged.stay) not_kept.insert(stay.message);
  std::vector<store::NewMessage> anew = damaged;
  std::erase_if(anew, [&](const store::NewMessage& each) { return not_kept.contains(each.message); });
  if (!anew.empty()) RETURN_IF_ERROR(store_.keep(anew, deadline));
  for (const store::NewMessage& each : anew) note_wrapped(each.message);
  return not_kept;
}

}  // namespace mailhold::recover
