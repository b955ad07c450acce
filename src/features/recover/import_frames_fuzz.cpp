#include <cstdint>
#include <cstdlib>

#include "features/recover/import_frames.h"
#include "fuzz_seeds.h"

using namespace mailhold;
using namespace mailhold::recover;

std::vector<std::string> fuzz_seeds() {
  return {folder_frame({"Archive", "2019"}), message_frame(1'500'000'000'000, {"\\Flagged", "\\Seen"}, "Subject: a\r\n\r\n"),
          end_frame(7), write_import_answer(ImportReport{3, 4}), write_import_answer(Error{ErrorKind::denied, "no"})};
}

// What was read is written as it came, and no limit is passed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)parse_import_answer(bytes);
  const auto frame = parse_import_frame(bytes);
  if (!frame) return 0;
  if (frame->path.size() > mailboxes::folder_depth_max || frame->flags.size() > import_flags_max) std::abort();
  if (frame->kind == ImportFrame::Kind::folder && folder_frame(frame->path) != bytes) std::abort();
  if (frame->kind == ImportFrame::Kind::end && end_frame(frame->messages) != bytes) std::abort();
  if (frame->kind == ImportFrame::Kind::message) {
    const std::string written = message_frame(frame->received_at, frame->flags, frame->content);
    const auto again = parse_import_frame(written);
    if (!again || again->content != frame->content || again->flags != frame->flags || again->received_at != frame->received_at)
      std::abort();
  }
  return 0;
}
