#include "core/broker/submission_messages.h"

#include "base/bytes.h"

namespace mailhold::broker {
namespace {

constexpr std::uint32_t recipients_max = 1000;
constexpr std::size_t reply_bytes_max = 2048;

enum class Kind : std::uint8_t { opened = 1, refused = 2, submit = 3, chunk = 4, result = 5, close = 6 };

ByteWriter begin(Kind kind) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(kind));
  return writer;
}

struct Encoder {
  std::string operator()(const SubmissionOpened&) const { return begin(Kind::opened).take(); }
  std::string operator()(const SubmissionClose&) const { return begin(Kind::close).take(); }
  std::string operator()(const SubmissionChunk& chunk) const { return encode_chunk(chunk.bytes); }

  std::string operator()(const SubmissionRefused& refused) const {
    ByteWriter writer = begin(Kind::refused);
    writer.u8(static_cast<std::uint8_t>(refused.error.kind)).text(refused.error.detail.substr(0, reply_bytes_max));
    return writer.take();
  }

  std::string operator()(const Submit& submit) const {
    ByteWriter writer = begin(Kind::submit);
    writer.text(submit.envelope.mail_from).u32(static_cast<std::uint32_t>(submit.envelope.rcpt_to.size()));
    for (const std::string& recipient : submit.envelope.rcpt_to) writer.text(recipient);
    writer.text(submit.envelope.envelope_id).u64(submit.size);
    return writer.take();
  }

  std::string operator()(const SubmissionResult& result) const {
    ByteWriter writer = begin(Kind::result);
    writer.u8(result.session_goes_on)
        .u8(result.outcome.is_untried)
        .u32(static_cast<std::uint32_t>(result.outcome.recipients.size()));
    for (const smtp::RecipientOutcome& recipient : result.outcome.recipients) {
      writer.u8(static_cast<std::uint8_t>(recipient.result)).u16(static_cast<std::uint16_t>(recipient.reply.code));
      writer.text(recipient.reply.enhanced).text(recipient.reply.text().substr(0, reply_bytes_max));
    }
    return writer.take();
  }
};

Error corrupt() { return {ErrorKind::corrupt, "not a frame of a submission"}; }

Result<Submit> read_submit(ByteReader& reader) {
  Submit submit;
  submit.envelope.mail_from = reader.text();
  const std::uint32_t count = reader.count(4);
  if (count == 0 || count > recipients_max) return corrupt();
  for (std::uint32_t i = 0; i < count; ++i) submit.envelope.rcpt_to.emplace_back(reader.text());
  submit.envelope.envelope_id = reader.text();
  submit.size = reader.u64();
  if (submit.size > submission_bytes_max) return corrupt();
  return submit;
}

Result<SubmissionResult> read_result(ByteReader& reader) {
  SubmissionResult result;
  const std::uint8_t goes_on = reader.u8();
  result.session_goes_on = goes_on == 1;
  const std::uint8_t untried = reader.u8();
  result.outcome.is_untried = untried == 1;
  const std::uint32_t count = reader.count(11);
  if (goes_on > 1 || untried > 1 || count == 0 || count > recipients_max) return corrupt();
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint8_t word = reader.u8();
    smtp::Reply reply;
    reply.code = reader.u16();
    reply.enhanced = reader.text();
    reply.lines = {std::string(reader.text())};
    if (word > static_cast<std::uint8_t>(smtp::RecipientResult::failed) || reply.code < 200 || reply.code > 599 ||
        reply.enhanced.size() > 16 || reply.lines[0].size() > reply_bytes_max) {
      return corrupt();
    }
    result.outcome.recipients.push_back({static_cast<smtp::RecipientResult>(word), std::move(reply)});
  }
  return result;
}

Result<SubmissionRefused> read_refused(ByteReader& reader) {
  const std::uint8_t kind = reader.u8();
  if (kind > static_cast<std::uint8_t>(ErrorKind::bug)) return corrupt();
  const std::string_view detail = reader.text();
  if (detail.size() > reply_bytes_max) return corrupt();
  return SubmissionRefused{.error = {static_cast<ErrorKind>(kind), std::string(detail)}};
}

}  // namespace

std::string encode(const SubmissionFrame& frame) { return std::visit(Encoder{}, frame); }

std::string encode_chunk(std::string_view bytes) {
  std::string frame;
  frame.reserve(bytes.size() + 1);
  frame += static_cast<char>(Kind::chunk);
  frame += bytes;
  return frame;
}

Result<SubmissionFrame> parse_submission_frame(std::string_view bytes) {
  ByteReader reader(bytes);
  SubmissionFrame frame;
  switch (static_cast<Kind>(reader.u8())) {
    case Kind::opened: frame = SubmissionOpened{}; break;
    case Kind::close: frame = SubmissionClose{}; break;
    case Kind::refused: {
      ASSIGN_OR_RETURN(frame, read_refused(reader));
      break;
    }
    case Kind::submit: {
      ASSIGN_OR_RETURN(frame, read_submit(reader));
      break;
    }
    case Kind::result: {
      ASSIGN_OR_RETURN(frame, read_result(reader));
      break;
    }
    case Kind::chunk:
      if (bytes.size() < 2 || bytes.size() > submission_chunk_bytes_max + 1) return corrupt();
      return SubmissionFrame(SubmissionChunk{std::string(bytes.substr(1))});
    default: return corrupt();
  }
  RETURN_IF_ERROR(reader.finish());
  return frame;
}

}  // namespace mailhold::broker
