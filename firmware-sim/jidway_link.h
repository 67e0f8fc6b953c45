/*
 * jidway_link.h: the device's side of the Jidway compact device link, version 1
 * Source: docs/device-link.md
 *
 * C99 and C++11; one header, no heap, nothing but <stddef.h>, <stdint.h> and <string.h>. All memory is in one jidway_link,
 * sized by the three macros below. Nothing here waits, and nothing is called from an interrupt.
 *
 *     static const jidway_point points[] = {
 *         { "temperature", JIDWAY_NUMERIC, JIDWAY_R,  2, "°C", JIDWAY_ABSENT, JIDWAY_ABSENT, JIDWAY_ABSENT, 0 },
 *         { "pump",        JIDWAY_BOOLEAN, JIDWAY_RW, 0, 0,    JIDWAY_ABSENT, JIDWAY_ABSENT, JIDWAY_ABSENT, 0 },
 *     };
 *     static const jidway_board board = { "gh-0017", "Greenhouse", "GH-1", "1.0.0", 60, 1, points, 2, write, command, 0 };
 *     static jidway_link link;
 *
 *     jidway_link_init(&link, &board, millis());
 *     for (;;) {
 *         while (a byte is there) jidway_link_feed(&link, the byte, millis());
 *         if (a minute is over) { jidway_link_set(&link, 0, 2350); jidway_link_report(&link, millis()); }   // 23.50 °C
 *         jidway_link_poll(&link, millis());
 *     }
 */
#ifndef JIDWAY_LINK_H
#define JIDWAY_LINK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Most points of the board, 1 to 32. */
#ifndef JIDWAY_LINK_POINTS
#define JIDWAY_LINK_POINTS 12
#endif
/* Reports kept until the gateway has taken them, 1 to 32. Each costs 4 bytes a point and 16. */
#ifndef JIDWAY_LINK_RING
#define JIDWAY_LINK_RING 4
#endif
/* Longest body of a frame that is sent: the longest announcement and a full report must fit. At most 253. */
#ifndef JIDWAY_LINK_BODY
#define JIDWAY_LINK_BODY 128
#endif
/* How often a board that is not welcomed says hello, and after how long a report that is not taken is sent again. */
#ifndef JIDWAY_LINK_HELLO_MS
#define JIDWAY_LINK_HELLO_MS 2000u
#endif
#ifndef JIDWAY_LINK_RESEND_MS
#define JIDWAY_LINK_RESEND_MS 1000u
#endif
/* While nobody answers, that doubles up to this. */
#ifndef JIDWAY_LINK_RESEND_LONGEST_MS
#define JIDWAY_LINK_RESEND_LONGEST_MS 30000u
#endif
/* How often a board without a receive line repeats what it is. */
#ifndef JIDWAY_LINK_REPEAT_MS
#define JIDWAY_LINK_REPEAT_MS 60000u
#endif

#if JIDWAY_LINK_POINTS < 1 || JIDWAY_LINK_POINTS > 32
#error "JIDWAY_LINK_POINTS must be 1 to 32"
#endif
#if JIDWAY_LINK_RING < 1 || JIDWAY_LINK_RING > 32
#error "JIDWAY_LINK_RING must be 1 to 32"
#endif
#if JIDWAY_LINK_BODY > 253 || JIDWAY_LINK_BODY < 16 + 5 * JIDWAY_LINK_POINTS
#error "JIDWAY_LINK_BODY must be at most 253 and hold a full report: 16 bytes and 5 for each point"
#endif

/* No value: of a reading that there is none, of a bound that there is none. */
#define JIDWAY_ABSENT INT32_MIN

enum { JIDWAY_NUMERIC = 0, JIDWAY_BOOLEAN = 1, JIDWAY_ENUM = 2 };
enum { JIDWAY_R = 1, JIDWAY_W = 2, JIDWAY_RW = 3 };

/* What a command callback answers. */
enum { JIDWAY_DONE = 0, JIDWAY_NO_POINT = 1, JIDWAY_NOT_WRITABLE = 2, JIDWAY_OUT_OF_RANGE = 3, JIDWAY_BUSY = 4, JIDWAY_FAILED = 5, JIDWAY_NOT_UNDERSTOOD = 6 };

/* One point. Numbers are scaled: with two decimals 2350 is 23.50. The value of an enum is the place of its label, from 0. */
typedef struct {
    const char *name;   /* at most 32 bytes of UTF-8, unlike every other one */
    uint8_t kind;       /* JIDWAY_NUMERIC, JIDWAY_BOOLEAN, JIDWAY_ENUM */
    uint8_t access;     /* JIDWAY_R, JIDWAY_W, JIDWAY_RW */
    uint8_t decimals;   /* 0 to 9 */
    const char *unit;   /* "°C", or 0 */
    int32_t min;        /* what it can be set to, or JIDWAY_ABSENT */
    int32_t max;
    int32_t step;
    const char *labels; /* of an enum: "off|heat|auto" */
} jidway_point;

/* What the board is and how it speaks. It must outlive the link. */
typedef struct {
    const char *uid;      /* its address: a serial number, unlike that of every other board on the gateway; "" for none */
    const char *name;     /* for people; "" for none, as the two below */
    const char *model;
    const char *firmware;
    uint32_t every_s;     /* how often it means to report; 0 when silence is normal */
    uint8_t listens;      /* 1: it has a receive line. 0: it only talks, and no report is kept or sent again */
    const jidway_point *points;
    uint8_t point_count;
    void (*write)(void *context, const uint8_t *bytes, size_t length);
    /* Set a point; its value is in range. Answer JIDWAY_DONE or why not, and jidway_link_set() what it really became. 0 when nothing can be set. */
    uint8_t (*command)(void *context, uint8_t point, int32_t value);
    void *context;
} jidway_board;

typedef struct {
    uint32_t taken_at; /* when its values were taken */
    uint32_t due;      /* when it is sent again */
    uint32_t mask;     /* which points it has */
    int32_t values[JIDWAY_LINK_POINTS];
    uint8_t seq;
    uint8_t kept;
    uint8_t sent;
} jidway_report;

/* The longest frame from a gateway has 21 bytes. */
#define JIDWAY_LINK_HEARD 32

/* One link. Nothing in it is for others, but these five may be read. */
typedef struct {
    uint8_t welcomed;  /* a gateway is there and knows the schema */
    uint32_t schema;   /* the id of the schema */
    uint32_t dropped;  /* reports that gave way to newer ones before they were taken */
    uint32_t broken;   /* frames that could not be read */
    uint32_t unix_s;   /* the gateway's last word on the time; 0 before its first: see jidway_link_unix() */

    const jidway_board *board;
    uint32_t started, unix_at, hello_due, patience;
    uint32_t changed;  /* points set since the last report */
    uint32_t announce; /* points to be announced */
    int32_t values[JIDWAY_LINK_POINTS];
    jidway_report ring[JIDWAY_LINK_RING];
    uint16_t crc_start; /* of reports: the id of the schema is in it */
    uint8_t seq;        /* of the next report */
    uint8_t has_told, told_seq, told_code; /* the last command and its answer, for when it is repeated */
    uint8_t hello_wanted, answer_due, ping_due, ping_seq, report_due;
    uint8_t heard[JIDWAY_LINK_HEARD];
    uint8_t heard_length, overlong;
    uint8_t frame[JIDWAY_LINK_BODY + 3]; /* a zero, the COBS code, the body, a zero */
    uint16_t length;                     /* of the body so far */
    uint8_t overflow;
} jidway_link;

/* --- checksums ------------------------------------------------------------------------------------------------------- */

static inline uint16_t jidway_crc16(uint16_t crc, uint8_t byte) {
    crc = (uint16_t)((crc >> 8) | (crc << 8));
    crc = (uint16_t)(crc ^ byte);
    crc = (uint16_t)(crc ^ ((crc & 0xff) >> 4));
    crc = (uint16_t)(crc ^ (crc << 12));
    crc = (uint16_t)(crc ^ ((crc & 0xff) << 5));
    return crc;
}

static inline uint32_t jidway_crc32(uint32_t crc, uint8_t byte) {
    uint8_t bit;
    crc ^= byte;
    for (bit = 0; bit < 8; bit++) crc = (crc & 1u) ? (crc >> 1) ^ UINT32_C(0xEDB88320) : crc >> 1;
    return crc;
}

/* --- writing a frame ------------------------------------------------------------------------------------------------- */

static inline void jidway_put(jidway_link *link, uint8_t byte) {
    if (link->length < JIDWAY_LINK_BODY) link->frame[2 + link->length++] = byte;
    else link->overflow = 1;
}

static inline void jidway_put_head(jidway_link *link, uint8_t major, uint32_t argument) {
    const uint8_t type = (uint8_t)(major << 5);
    int8_t shift;
    if (argument < 24) {
        jidway_put(link, (uint8_t)(type + argument));
        return;
    }
    jidway_put(link, (uint8_t)(type + (argument < 0x100u ? 24 : argument < UINT32_C(0x10000) ? 25 : 26)));
    for (shift = argument < 0x100u ? 0 : argument < UINT32_C(0x10000) ? 8 : 24; shift >= 0; shift = (int8_t)(shift - 8)) jidway_put(link, (uint8_t)(argument >> shift));
}

static inline void jidway_put_uint(jidway_link *link, uint32_t value) { jidway_put_head(link, 0, value); }
static inline void jidway_put_list(jidway_link *link, uint8_t items) { jidway_put_head(link, 4, items); }

static inline void jidway_put_value(jidway_link *link, int32_t value) {
    if (value == JIDWAY_ABSENT) jidway_put(link, 0xf6);
    else if (value < 0) jidway_put_head(link, 1, (uint32_t)(-1 - value));
    else jidway_put_head(link, 0, (uint32_t)value);
}

static inline void jidway_put_bytes(jidway_link *link, const char *text, size_t length) {
    size_t at;
    jidway_put_head(link, 3, (uint32_t)length);
    for (at = 0; at < length; at++) jidway_put(link, (uint8_t)text[at]);
}

static inline void jidway_put_text(jidway_link *link, const char *text) {
    if (text) jidway_put_bytes(link, text, strlen(text));
    else jidway_put_bytes(link, "", 0);
}

static inline void jidway_begin(jidway_link *link, char type, uint8_t seq) {
    link->length = 0;
    link->overflow = 0;
    jidway_put(link, (uint8_t)type);
    jidway_put(link, seq);
}

/*
 * The checksum, COBS in place (a body has less than 254 bytes, so that one code is enough at the front), the zero.
 * With `zero_first` another one before: it ends what a cut frame or noise has begun.
 */
static inline void jidway_send(jidway_link *link, uint16_t crc, uint8_t zero_first) {
    uint8_t *encoded = link->frame + 1;
    uint16_t at;
    uint8_t code = 1;
    for (at = 1; at <= link->length; at++) crc = jidway_crc16(crc, encoded[at]);
    jidway_put(link, (uint8_t)(crc >> 8));
    jidway_put(link, (uint8_t)crc);
    if (link->overflow) return;
    for (at = link->length; at >= 1; at--) {
        if (encoded[at]) code++;
        else {
            encoded[at] = code;
            code = 1;
        }
    }
    encoded[0] = code;
    encoded[link->length + 1] = 0;
    link->frame[0] = 0;
    link->board->write(link->board->context, zero_first ? link->frame : encoded, (size_t)link->length + 2 + (zero_first ? 1 : 0));
}

/* --- what is said ---------------------------------------------------------------------------------------------------- */

static inline uint8_t jidway_labels(const char *labels) {
    uint8_t count = 1;
    if (!labels || !*labels) return 0;
    for (; *labels; labels++) count = (uint8_t)(count + (*labels == '|'));
    return count;
}

static inline void jidway_put_point(jidway_link *link, uint8_t index) {
    const jidway_point *point = &link->board->points[index];
    const char *label = point->labels;
    jidway_begin(link, 'P', index);
    jidway_put_list(link, (uint8_t)(point->kind == JIDWAY_NUMERIC ? 8 : point->kind == JIDWAY_BOOLEAN ? 3 : 3 + jidway_labels(label)));
    jidway_put_text(link, point->name);
    jidway_put_uint(link, point->kind);
    jidway_put_uint(link, point->access);
    if (point->kind == JIDWAY_NUMERIC) {
        jidway_put_uint(link, point->decimals);
        jidway_put_text(link, point->unit);
        jidway_put_value(link, point->min);
        jidway_put_value(link, point->max);
        jidway_put_value(link, point->step);
    } else if (point->kind == JIDWAY_ENUM) {
        while (label) {
            const char *bar = strchr(label, '|');
            jidway_put_bytes(link, label, bar ? (size_t)(bar - label) : strlen(label));
            label = bar ? bar + 1 : 0;
        }
    }
}

static inline jidway_report *jidway_oldest(jidway_link *link, uint8_t due_only, uint32_t now) {
    jidway_report *oldest = 0;
    uint8_t at;
    for (at = 0; at < JIDWAY_LINK_RING; at++) {
        jidway_report *each = &link->ring[at];
        if (!each->kept || (due_only && (int32_t)(now - each->due) < 0)) continue;
        if (!oldest || (uint8_t)(link->seq - each->seq) > (uint8_t)(link->seq - oldest->seq)) oldest = each;
    }
    return oldest;
}

static inline void jidway_put_hello(jidway_link *link, uint8_t seq) {
    const jidway_board *board = link->board;
    jidway_begin(link, 'H', seq);
    jidway_put_list(link, 10);
    jidway_put_uint(link, 1); /* the version */
    jidway_put_uint(link, (link->welcomed ? 0u : 1u) | (board->listens ? 2u : 0u));
    jidway_put_uint(link, link->schema);
    jidway_put_uint(link, board->point_count);
    jidway_put_uint(link, board->listens ? JIDWAY_LINK_RING : 0);
    jidway_put_uint(link, board->every_s);
    jidway_put_text(link, board->uid);
    jidway_put_text(link, board->name);
    jidway_put_text(link, board->model);
    jidway_put_text(link, board->firmware);
}

static inline void jidway_say_report(jidway_link *link, const jidway_report *report, uint8_t again, uint32_t now) {
    const uint8_t count = link->board->point_count;
    uint8_t at, said = 0;
    for (at = 0; at < count; at++) said = (uint8_t)(said + (report->mask >> at & 1u));
    /* A null costs one byte, a mask one to five. */
    if (count - said <= (report->mask < 24 ? 1 : report->mask < 0x100u ? 2 : report->mask < UINT32_C(0x10000) ? 3 : 5)) {
        jidway_begin(link, 'R', report->seq);
        jidway_put_list(link, (uint8_t)(1 + count));
        jidway_put_uint(link, now - report->taken_at);
        for (at = 0; at < count; at++) jidway_put_value(link, report->mask >> at & 1u ? report->values[at] : JIDWAY_ABSENT);
    } else {
        jidway_begin(link, 'D', report->seq);
        jidway_put_list(link, (uint8_t)(2 + said));
        jidway_put_uint(link, now - report->taken_at);
        jidway_put_uint(link, report->mask);
        for (at = 0; at < count; at++) if (report->mask >> at & 1u) jidway_put_value(link, report->values[at]);
    }
    jidway_send(link, link->crc_start, again);
}

/* --- what is heard --------------------------------------------------------------------------------------------------- */

/* A whole number of CBOR in its shortest form. Answers where it ends, or 0. `wide` becomes 1 when it has more than 31 bits, 2 when more than 32. */
static inline const uint8_t *jidway_get(const uint8_t *at, const uint8_t *end, uint8_t major, uint32_t *value, uint8_t *wide) {
    uint8_t low, bytes, count;
    uint32_t high = 0, number = 0;
    if (!at || at >= end || *at >> 5 != major) return 0;
    low = *at++ & 0x1f;
    *wide = 0;
    if (low < 24) {
        *value = low;
        return at;
    }
    if (low > 27) return 0;
    bytes = (uint8_t)(1u << (low - 24));
    if (end - at < bytes) return 0;
    for (count = 0; count < bytes; count++) {
        high = high << 8 | number >> 24;
        number = number << 8 | *at++;
    }
    if (bytes == 1 ? number < 24 : bytes == 2 ? number < 0x100u : bytes == 4 ? number < UINT32_C(0x10000) : high == 0) return 0;
    *value = number;
    *wide = (uint8_t)(high ? 2 : number >> 31);
    return at;
}

static inline uint8_t jidway_obey(jidway_link *link, const uint8_t *at, const uint8_t *end) {
    const jidway_board *board = link->board;
    const jidway_point *point;
    uint32_t index, magnitude = 0;
    int32_t value;
    uint8_t far, wide, negative;
    if (at == end || *at++ != 0x82) return JIDWAY_NOT_UNDERSTOOD;
    at = jidway_get(at, end, 0, &index, &far);
    negative = (uint8_t)(at && at < end && *at >> 5 == 1);
    if (!at || !(at = jidway_get(at, end, negative, &magnitude, &wide)) || at != end) return JIDWAY_NOT_UNDERSTOOD;
    if (far || index >= board->point_count) return JIDWAY_NO_POINT;
    point = &board->points[index];
    if (!(point->access & JIDWAY_W) || !board->command) return JIDWAY_NOT_WRITABLE;
    if (wide) return JIDWAY_OUT_OF_RANGE;
    value = negative ? (int32_t)(-1 - (int32_t)magnitude) : (int32_t)magnitude;
    if (value == JIDWAY_ABSENT) return JIDWAY_OUT_OF_RANGE;
    if (point->kind == JIDWAY_BOOLEAN && (value < 0 || value > 1)) return JIDWAY_OUT_OF_RANGE;
    if (point->kind == JIDWAY_ENUM && (value < 0 || value >= jidway_labels(point->labels))) return JIDWAY_OUT_OF_RANGE;
    if (point->kind == JIDWAY_NUMERIC && ((point->min != JIDWAY_ABSENT && value < point->min) || (point->max != JIDWAY_ABSENT && value > point->max))) return JIDWAY_OUT_OF_RANGE;
    return board->command(board->context, (uint8_t)index, value);
}

static inline void jidway_hear(jidway_link *link, uint8_t type, uint8_t seq, const uint8_t *at, const uint8_t *end, uint32_t now) {
    const uint8_t *begin = at;
    uint32_t number = 0;
    uint8_t wide = 0, slot, one = 0;
    if (type == 'p' || type == 'w' || type == 'k') one = 1;
    else if (type != 'h' && type != 's' && type != 'i' && type != 'c') return; /* an echo, or a later version */
    if (one && (jidway_get(at, end, 0, &number, &wide) != end || wide > 1)) {
        link->broken++;
        return;
    }
    link->patience = JIDWAY_LINK_RESEND_MS;
    if (!link->welcomed && type != 'w' && type != 'p') {
        if (type != 'k' && type != 'c') link->hello_wanted = 1; /* whoever asks must know first who is here */
        return;
    }
    switch (type) {
    case 'h':
        link->hello_wanted = 1;
        break;
    case 'p':
        link->announce |= number;
        break;
    case 'w':
        if (number != link->schema) {
            link->hello_wanted = 1;
            break;
        }
        link->hello_wanted = 0;
        link->welcomed = 1;
        link->has_told = 0;
        link->announce = 0;
        for (slot = 0; slot < JIDWAY_LINK_RING; slot++) link->ring[slot].due = now;
        break;
    case 'k':
        for (slot = 0; slot < JIDWAY_LINK_RING; slot++) {
            const uint8_t behind = (uint8_t)(seq - link->ring[slot].seq);
            if (behind == 0 || (behind <= 32 && (number >> (behind - 1) & 1u))) link->ring[slot].kept = 0;
        }
        break;
    case 's':
        if (!link->has_told || link->told_seq != seq) {
            link->told_code = jidway_obey(link, begin, end);
            link->told_seq = seq;
            link->has_told = 1;
            link->report_due = 1;
        }
        link->answer_due = 1;
        break;
    case 'i':
        link->ping_due = 1;
        link->ping_seq = seq;
        break;
    default: /* 'c' */
        if (at < end && *at++ == 0x82 && (at = jidway_get(at, end, 0, &number, &wide)) != 0) {
            uint32_t millis = 0;
            if (wide < 2 && jidway_get(at, end, 0, &millis, &wide) == end && millis < 1000) {
                link->unix_s = number;
                link->unix_at = now - millis;
            }
        }
    }
}

/* --- the six functions ----------------------------------------------------------------------------------------------- */

/* Begin. Answers 1, or 0 when the board cannot be announced: too many points, or an announcement that is longer than JIDWAY_LINK_BODY. */
static inline uint8_t jidway_link_init(jidway_link *link, const jidway_board *board, uint32_t now) {
    uint32_t crc = UINT32_C(0xffffffff);
    uint16_t at;
    uint8_t index;
    memset(link, 0, sizeof *link);
    link->board = board;
    link->started = now;
    link->hello_due = now;
    link->patience = JIDWAY_LINK_RESEND_MS;
    if (board->point_count < 1 || board->point_count > JIDWAY_LINK_POINTS) return 0;
    for (index = 0; index < board->point_count; index++) {
        link->values[index] = JIDWAY_ABSENT;
        jidway_put_point(link, index);
        if (link->overflow || link->length + 2 > JIDWAY_LINK_BODY) return 0;
        for (at = 2; at < link->length; at++) crc = jidway_crc32(crc, link->frame[2 + at]); /* the payload: what is behind type and number */
    }
    link->schema = ~crc;
    link->crc_start = 0xffff;
    for (index = 0; index < 4; index++) link->crc_start = jidway_crc16(link->crc_start, (uint8_t)(link->schema >> (24 - 8 * index)));
    jidway_put_hello(link, 0);
    return (uint8_t)(!link->overflow && link->length + 2 <= JIDWAY_LINK_BODY);
}

/* A point has this value now, scaled; JIDWAY_ABSENT: it has none. It is told with the next report. */
static inline void jidway_link_set(jidway_link *link, uint8_t point, int32_t value) {
    if (point >= link->board->point_count) return;
    link->values[point] = value;
    if (value == JIDWAY_ABSENT) link->changed &= ~(UINT32_C(1) << point);
    else link->changed |= UINT32_C(1) << point;
}

/* Make a report of what was set since the last one; poll() sends it. Of too many that are not taken the oldest gives way. */
static inline void jidway_link_report(jidway_link *link, uint32_t now) {
    jidway_report *slot = 0;
    uint8_t at;
    if (!link->changed) return;
    for (at = 0; at < JIDWAY_LINK_RING; at++) {
        jidway_report *each = &link->ring[at];
        /* The gateway no longer knows whether it had what is 64 numbers old. */
        if (each->kept && (uint8_t)(link->seq - each->seq) >= 64) {
            each->kept = 0;
            link->dropped++;
        }
        if (!each->kept) slot = each;
    }
    if (!slot) {
        slot = jidway_oldest(link, 0, now);
        link->dropped++;
    }
    slot->kept = 1;
    slot->sent = 0;
    slot->taken_at = slot->due = now;
    slot->mask = link->changed;
    memcpy(slot->values, link->values, sizeof slot->values);
    slot->seq = link->seq++;
    link->changed = 0;
}

/* Send one frame that is due. Call it often; answers 1 while there may be another. */
static inline uint8_t jidway_link_poll(jidway_link *link, uint32_t now) {
    const jidway_board *board = link->board;
    jidway_report *report;
    uint8_t index;
    if (link->answer_due) {
        link->answer_due = 0;
        jidway_begin(link, link->told_code == JIDWAY_DONE ? 'A' : 'N', link->told_seq);
        if (link->told_code != JIDWAY_DONE) jidway_put_uint(link, link->told_code);
        jidway_send(link, 0xffff, 1);
        return 1;
    }
    if (link->report_due) { /* what a command has changed is told at once */
        link->report_due = 0;
        jidway_link_report(link, now);
    }
    if (link->ping_due) {
        link->ping_due = 0;
        jidway_begin(link, 'O', link->ping_seq);
        jidway_put_list(link, 3);
        jidway_put_uint(link, (now - link->started) / 1000u);
        jidway_put_uint(link, link->dropped);
        jidway_put_uint(link, link->broken);
        jidway_send(link, 0xffff, 1);
        return 1;
    }
    if (link->hello_wanted || (!link->welcomed && (int32_t)(now - link->hello_due) >= 0)) {
        link->hello_wanted = 0;
        link->hello_due = now + (board->listens ? JIDWAY_LINK_HELLO_MS : JIDWAY_LINK_REPEAT_MS);
        if (!board->listens) link->announce = UINT32_C(0xffffffff);
        report = jidway_oldest(link, 0, now);
        jidway_put_hello(link, report ? report->seq : link->seq);
        jidway_send(link, 0xffff, 1);
        return 1;
    }
    for (index = 0; index < board->point_count; index++) {
        if (!(link->announce >> index & 1u)) continue;
        link->announce &= ~(UINT32_C(1) << index);
        jidway_put_point(link, index);
        jidway_send(link, 0xffff, 1);
        return 1;
    }
    if (board->listens && !link->welcomed) return 0;
    report = jidway_oldest(link, 1, now);
    if (!report) return 0;
    /* One doubling a round: that of the oldest. */
    if (report->sent && report == jidway_oldest(link, 0, now)) link->patience = link->patience < JIDWAY_LINK_RESEND_LONGEST_MS / 2 ? link->patience * 2 : JIDWAY_LINK_RESEND_LONGEST_MS;
    report->due = now + link->patience;
    report->kept = board->listens;
    jidway_say_report(link, report, report->sent, now);
    report->sent = 1;
    return 1;
}

/* A byte came from the gateway. Commands run inside of this; what is answered is sent by poll(). */
static inline void jidway_link_feed(jidway_link *link, uint8_t byte, uint32_t now) {
    uint8_t *frame = link->heard;
    uint8_t length = link->heard_length, from = 0, to = 0, code, at;
    uint16_t crc = 0xffff;
    if (byte != 0) {
        if (length < JIDWAY_LINK_HEARD) frame[link->heard_length++] = byte;
        else link->overlong = 1;
        return;
    }
    link->heard_length = 0;
    if (length == 0) return;
    if (link->overlong) length = 0;
    link->overlong = 0;
    while (from < length) {
        code = frame[from++]; /* never a zero: those end the frame */
        if (code - 1 > length - from) {
            to = 0;
            break;
        }
        for (; code > 1; code--) frame[to++] = frame[from++];
        if (from < length) frame[to++] = 0;
    }
    for (at = 0; at < to; at++) crc = jidway_crc16(crc, frame[at]);
    if (to < 4 || crc != 0) {
        link->broken++;
        return;
    }
    jidway_hear(link, frame[0], frame[1], frame + 2, frame + to - 2, now);
}

/* Seconds since 1970 in UTC by the gateway's clock; 0 while it has not said. */
static inline uint32_t jidway_link_unix(const jidway_link *link, uint32_t now) {
    return link->unix_s ? link->unix_s + (now - link->unix_at) / 1000u : 0;
}

#endif
