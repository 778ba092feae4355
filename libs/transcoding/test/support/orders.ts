import { descriptorSet } from "@plumbline/contracts";
import { readDescriptors } from "../../src/descriptors/read-descriptors.ts";

/** The descriptors of Plumbline's own protos. */
export const plumbline = readDescriptors(descriptorSet);
