// A greenhouse board on a Jidway gateway: temperature and humidity are reported, a pump is commanded.
// Copy jidway_link.h beside this file. In the gateway's config the port has `protocol: cobs-cbor` and `baud: 115200`.

#define JIDWAY_LINK_POINTS 4
#define JIDWAY_LINK_RING 4
#include "jidway_link.h"

enum { TEMPERATURE, SOIL, PUMP, UPTIME };

const jidway_point points[] = {
  { "temperature", JIDWAY_NUMERIC, JIDWAY_R, 1, "°C", JIDWAY_ABSENT, JIDWAY_ABSENT, JIDWAY_ABSENT, 0 },
  { "soil", JIDWAY_NUMERIC, JIDWAY_R, 1, "%", JIDWAY_ABSENT, JIDWAY_ABSENT, JIDWAY_ABSENT, 0 },
  { "pump", JIDWAY_BOOLEAN, JIDWAY_RW, 0, 0, JIDWAY_ABSENT, JIDWAY_ABSENT, JIDWAY_ABSENT, 0 },
  { "uptime", JIDWAY_NUMERIC, JIDWAY_R, 0, "s", JIDWAY_ABSENT, JIDWAY_ABSENT, JIDWAY_ABSENT, 0 },
};

const uint8_t THERMISTOR_PIN = A0;  // 10 mV per degree: LM35
const uint8_t SOIL_PIN = A1;
const uint8_t PUMP_PIN = 7;
const uint32_t EVERY_MS = 10000;

jidway_link link_;
uint32_t reported;

void send(void *, const uint8_t *bytes, size_t length) {
  Serial.write(bytes, length);
}

// The value is in range, for the library has looked. Say what the pin really is afterwards: that is what confirms the command.
uint8_t command(void *, uint8_t point, int32_t value) {
  if (point != PUMP) return JIDWAY_NO_POINT;
  digitalWrite(PUMP_PIN, value ? HIGH : LOW);
  jidway_link_set(&link_, PUMP, digitalRead(PUMP_PIN) == HIGH);
  return JIDWAY_DONE;
}

const jidway_board board = { "gh-0018", "Greenhouse", "GH-Uno", "1.0.0", EVERY_MS / 1000, 1, points, 4, send, command, 0 };

void setup() {
  pinMode(PUMP_PIN, OUTPUT);
  Serial.begin(115200);
  jidway_link_init(&link_, &board, millis());
}

void loop() {
  const uint32_t now = millis();
  while (Serial.available()) jidway_link_feed(&link_, (uint8_t)Serial.read(), now);
  if (now - reported >= EVERY_MS) {
    reported = now;
    jidway_link_set(&link_, TEMPERATURE, (int32_t)analogRead(THERMISTOR_PIN) * 5000 / 1024);  // tenths of a degree
    jidway_link_set(&link_, SOIL, (int32_t)analogRead(SOIL_PIN) * 1000 / 1023);
    jidway_link_set(&link_, PUMP, digitalRead(PUMP_PIN) == HIGH);
    jidway_link_set(&link_, UPTIME, (int32_t)(now / 1000));
    jidway_link_report(&link_, now);
  }
  jidway_link_poll(&link_, now);
}
