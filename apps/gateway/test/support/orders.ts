import { descriptorSet } from "@plumbline/contracts";
import { readDescriptors } from "../../src/bindings/registry.ts";

/** Plumbline's own protos. */
export const plumbline = readDescriptors(descriptorSet);
