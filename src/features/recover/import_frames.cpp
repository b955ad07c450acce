#include "features/recover/import_frames.h"

#include <algorithm>

#include "base/bytes.h"

namespace mailhold::recover {
namespace {

enum class AnswerType : std::uint8_t { report = 1, error = 2 };

Error bad_frame(const std::string& what) { return Error{ErrorKind::invalid_input, "import: " + what, "import: " + what}; }

Status read_folder(ByteReader& reader, ImportFrame& frame) {
  const std::uint32_t count = reader.count(4);
  if (count == 0 || count > mailboxes::folder_depth_max) return bad_frame("a folder has no name, or lies too deep");
  for (std::uint32_t i = 0; i < count; ++i) frame.path.emplace_back(reader.text());
  if (!reader.finish()) return bad_frame("a folder does not read");
  const bool is_named = std::all_of(frame.path.begin(), frame.path.end(), [](const std::string& name) {
    return !name.empty() && name.size() <= import_name_bytes_max;
  });
  return is_named ? done() : Status(bad_frame("the name of a folder is empty or too long"));
}

Status read_message(ByteReader& reader, ImportFrame& frame) {
  const std::uint64_t received_at = reader.u64();
  const std::uint32_t flags = reader.count(4);
  if (flags > import_flags_max) return bad_frame("a message has too many flags");
  for (std::uint32_t i = 0; i < flags; ++i) frame.flags.emplace_back(reader.text());
  frame.content = reader.rest();
  constexpr std::uint64_t year_10000 = 253'402'300'800'000;
  if (!reader.ok() || frame.content.empty() || frame.content.size() > import_message_bytes_max || received_at >= year_10000)
    return bad_frame("a message is empty, too large or does not read");
  frame.received_at = static_cast<Milliseconds>(received_at / 1000 * 1000);
  std::sort(frame.flags.begin(), frame.flags.end());
  return done();
}

}  // namespace

std::string folder_frame(const mailboxes::FolderPath& path) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(ImportFrame::Kind::folder)).u32(static_cast<std::uint32_t>(path.size()));
  for (const std::string& name : path) writer.text(name);
  return writer.take();
}

std::string message_frame(Milliseconds received_at, const std::vector<std::string>& flags, std::string_view message) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(ImportFrame::Kind::message))
      .u64(static_cast<std::uint64_t>(received_at))
      .u32(static_cast<std::uint32_t>(flags.size()));
  for (const std::string& flag : flags) writer.text(flag);
  return writer.raw(message).take();
}

std::string end_frame(std::uint64_t messages) {
  return ByteWriter().u8(static_cast<std::uint8_t>(ImportFrame::Kind::end)).u64(messages).take();
}

Result<ImportFrame> parse_import_frame(std::string_view bytes) {
  ByteReader reader(bytes);
  ImportFrame frame;
  frame.kind = static_cast<ImportFrame::Kind>(reader.u8());
  switch (frame.kind) {
    case ImportFrame::Kind::folder: RETURN_IF_ERROR(read_folder(reader, frame)); return frame;
    case ImportFrame::Kind::message: RETURN_IF_ERROR(read_message(reader, frame)); return frame;
    case ImportFrame::Kind::end:
      frame.messages = reader.u64();
      if (!reader.finish()) return bad_frame("the end does not read");
      return frame;
  }
  return bad_frame("an unknown frame");
}

std::string write_import_answer(const Result<ImportReport>& report) {
  ByteWriter writer;
  if (report) {
    writer.u8(static_cast<std::uint8_t>(AnswerType::report)).u64(report->added).u64(report->present);
  } else {
    const Error& error = report.error();
    writer.u8(static_cast<std::uint8_t>(AnswerType::error)).u8(static_cast<std::uint8_t>(error.kind));
    writer.text(error.for_peer.empty() ? error.detail : error.for_peer);
  }
  return writer.take();
}

Result<ImportReport> parse_import_answer(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto type = static_cast<AnswerType>(reader.u8());
  if (type == AnswerType::report) {
    ImportReport report;
    report.added = reader.u64();
    report.present = reader.u64();
    RETURN_IF_ERROR(reader.finish());
    return report;
  }
  const std::uint8_t kind = reader.u8();
  const std::string what(reader.text());
  RETURN_IF_ERROR(reader.finish());
  if (type != AnswerType::error || kind > static_cast<std::uint8_t>(ErrorKind::bug))
    return Error{ErrorKind::corrupt, "the answer to an import does not read"};
  return Error{static_cast<ErrorKind>(kind), what};
}

}  // namespace mailhold::recover
