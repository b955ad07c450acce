#include "core/store/message_cut.h"

#include "platform/crypto/hash.h"

namespace mailhold::store {
namespace {

class Cutter {
 public:
  Cutter(const NewMessage& message, std::uint64_t part_bytes_min) : message_(message), part_bytes_min_(part_bytes_min) {}

  CutMessage run() {
    for (const BodySpan& span : message_.bodies) {
      // Two pieces for each body, and the text at the end.
      const bool is_usable = span.offset >= done_to_ && span.length > 0 && span.offset <= message_.bytes.size() &&
                             span.length <= message_.bytes.size() - span.offset && result_.recipe.pieces.size() + 3 <= pieces_max;
      if (is_usable) take_body(span);
    }
    take_text_up_to(message_.bytes.size());
    result_.recipe.message_bytes = message_.bytes.size();
    result_.recipe.sha256 = message_.sha256.empty() ? crypto::sha256(message_.bytes) : message_.sha256;
    return std::move(result_);
  }

 private:
  void take_body(const BodySpan& span) {
    std::string_view body = message_.bytes.substr(span.offset, span.length);
    CutPart part;
    Piece piece;
    if (span.encoding == BodyEncoding::base64) {
      // The ends of the last lines stay inline, so that a span with and one without them give the same part.
      const std::string_view core = body.substr(0, body.find_last_not_of("\r\n") + 1);
      DecodedBody decoded;
      if (core.size() >= part_bytes_min_ && decode_base64_lines(core, decoded)) {
        body = core;
        piece.kind = Piece::Kind::base64_part;
        piece.lines = decoded.lines;
        part.decoded = std::move(decoded.bytes);
      }
    }
    if (piece.kind == Piece::Kind::inline_text) {
      piece.kind = Piece::Kind::part;
      part.plain = body;
    }
    if (part.bytes().size() < part_bytes_min_) return;
    take_text_up_to(span.offset);
    piece.length = static_cast<std::uint32_t>(part.bytes().size());
    part.piece = result_.recipe.pieces.size();
    result_.recipe.pieces.push_back(piece);
    result_.parts.push_back(std::move(part));
    done_to_ = span.offset + body.size();
  }

  void take_text_up_to(std::uint64_t end) {
    if (end == done_to_) return;
    Piece piece;
    piece.length = static_cast<std::uint32_t>(end - done_to_);
    result_.recipe.pieces.push_back(piece);
    result_.recipe.inline_text += message_.bytes.substr(done_to_, end - done_to_);
    done_to_ = end;
  }

  const NewMessage& message_;
  const std::uint64_t part_bytes_min_;
  std::uint64_t done_to_ = 0;
  CutMessage result_;
};

}  // namespace

CutMessage cut(const NewMessage& message, std::uint64_t shared_part_bytes_min) {
  return Cutter(message, shared_part_bytes_min).run();
}

}  // namespace mailhold::store
